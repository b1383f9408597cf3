"""Pages through the simulator with pyconnectwise as it is published; runs in that package's own environment.

Prints one JSON object: for each of several tables every id that the client got, and the counts that it was told.
"""

from __future__ import annotations

import json
import os
import sys

from pyconnectwise import ConnectWiseManageAPIClient  # type: ignore[import-not-found] # in an environment of its own


def main() -> None:
    client = ConnectWiseManageAPIClient(
        company_name=os.environ["CONNECTWISE_COMPANY_ID"],
        manage_url=os.environ["CONNECTWISE_HOST"],
        client_id=os.environ["CONNECTWISE_CLIENT_ID"],
        public_key=os.environ["CONNECTWISE_PUBLIC_KEY"],
        private_key=os.environ["CONNECTWISE_PRIVATE_KEY"],
    )
    tables = {
        "service/tickets": client.service.tickets,
        "time/entries": client.time.entries,
        "company/companies": client.company.companies,
        "company/contacts": client.company.contacts,
        "system/members": client.system.members,
    }
    found = {name: [record.id for record in table.paginated(1, 100).all()] for name, table in tables.items()}
    filtered = client.service.tickets.paginated(1, 50, {"conditions": 'status/name like ">%" AND closedFlag=False'})
    found["filtered"] = [record.id for record in filtered.all()]
    found["counts"] = [client.service.tickets.count.get().count, client.time.entries.count.get().count]
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
