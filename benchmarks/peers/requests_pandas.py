"""requests and pandas, page after page: raw and a table with history as Parquet, as such scripts are written."""

from __future__ import annotations

import pandas as pd
import requests
from common import HEADERS, PAGE, done, job


def main() -> None:
    """Load everything once."""
    work = job()
    frames = []
    session = requests.Session()
    for number in range(1, work.pages + 1):
        params = {"page": number, "pageSize": PAGE, "orderBy": "id asc"}
        answer = session.get(f"{work.api}service/tickets", params=params, headers=HEADERS, timeout=90)
        answer.raise_for_status()
        frame = pd.json_normalize(answer.json(), sep="_")
        frame.astype(str).to_parquet(work.folder / f"raw-{number:05}.parquet", compression="zstd")
        frames.append(frame)
    table = pd.concat(frames, ignore_index=True)
    kept = [name for name in table.columns if not table[name].map(lambda value: isinstance(value, list)).any()]
    table = table[kept].assign(valid_from=table["_info_lastUpdated"], valid_to=None, is_current=True)
    table["record_hash"] = pd.util.hash_pandas_object(table[kept].astype(str), index=False)
    table.astype(str).to_parquet(work.folder / "tickets.parquet", compression="zstd")
    done(len(pd.read_parquet(work.folder / "tickets.parquet", columns=["is_current"])))


if __name__ == "__main__":
    main()
