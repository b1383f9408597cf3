"""Polars rewrites a whole table of versions for some changes: the old versions closed, new ones beside them."""

from __future__ import annotations

import json
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import polars as pl


def main() -> None:
    """Rewrite the table whose files are listed, with that many changed records."""
    files = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    table = pl.read_parquet(files, hive_partitioning=False)
    now = datetime.now(UTC)
    is_chosen = pl.col("id").is_in(table.filter("is_current")["id"].sample(int(sys.argv[2]), seed=1).implode())
    opened = table.filter(is_chosen, "is_current").with_columns(
        summary=pl.lit("changed"), valid_from=pl.lit(now).cast(table.schema["valid_from"])
    )
    is_closed = is_chosen & pl.col("is_current")
    closed = table.with_columns(
        valid_to=pl.when(is_closed).then(pl.lit(now)).otherwise("valid_to").cast(table.schema["valid_to"]),
        is_current=pl.when(is_closed).then(pl.lit(value=False)).otherwise("is_current"),
    )
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "table.parquet")
        pl.concat([closed, opened]).write_parquet(target, compression="zstd")
        print(json.dumps({"written": target.stat().st_size}))


if __name__ == "__main__":
    main()
