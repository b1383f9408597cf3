"""`avesa erase-tenant` and `avesa erase-record`: what was kept is gone for good, and a receipt says so."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

from avesa.entrypoints.options import OUTPUT, Place, examples, placed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from avesa.application.erase import Receipt


@click.command(
    "erase-tenant",
    epilog=examples(
        "avesa erase-tenant acme --confirm acme",
        "avesa erase-tenant acme --confirm acme --output json > receipt.json",
    ),
)
@click.argument("tenant_id", metavar="ID")
@click.option("--confirm", required=True, metavar="ID", help="The same id once more. What is erased cannot come back.")
@OUTPUT
@placed
def erase_tenant(place: Place, tenant_id: str, confirm: str, output: str) -> int:
    """Erase a tenant: everything below its prefix in the lake, its state in all four tables, its credentials.

    Refused while a run works on one of its tables; nothing is erased then. The receipt (counts, bytes, a hash over the
    erased keys, time, version) holds no personal data; it is printed, and kept in the lake under receipts/. A call
    that died in the middle is finished by calling again; a call that finds nothing changes nothing.

    Exit status: 0 erased, or nothing was there, 1 refused or failed, 2 the call was wrong.
    """
    return _erased(place, "erase_tenant", {"tenant_id": tenant_id, "confirm": confirm}, output)


@click.command(
    "erase-record",
    epilog=examples(
        "avesa erase-record --tenant-id acme --table-name contacts --id 4711 --confirm 4711",
    ),
)
@click.option("--tenant-id", required=True, metavar="ID", help="Whose record it is.")
@click.option(
    "--table-name",
    required=True,
    metavar="NAME",
    help="The record's table: the service's name (company/contacts) or the canonical one (contacts).",
)
@click.option("--id", "record_id", required=True, metavar="ID", help="The record's id at the source.")
@click.option("--confirm", required=True, metavar="ID", help="The same id once more. What is erased cannot come back.")
@OUTPUT
@placed
def erase_record(place: Place, tenant_id: str, table_name: str, record_id: str, confirm: str, output: str) -> int:
    """Erase one record from raw, from the canonical table and its old versions, and from quarantine.

    Erase it at the source first: the next run reads again what the source still has, says that an erased record came
    back, and `avesa verify` says so as well. Raw parts that held it are written again without it; old versions of the
    table can no longer be read where they need a file that held it. Only this record goes: what other tables say about
    the same person is in their own records.

    Refused while a run works on the table. The receipt holds counts, bytes, hashes, time and version, and neither the
    record's id nor its content; it is printed, and kept in the lake under receipts/. A call that died in the middle is
    finished by calling again; a call that finds nothing changes nothing.

    Exit status: 0 erased, or nothing was there, 1 refused or failed, 2 the call was wrong.
    """
    task = {"tenant_id": tenant_id, "table_name": table_name, "record_id": record_id, "confirm": confirm}
    return _erased(place, "erase_record", task, output)


def _erased(place: Place, step: str, task: Mapping[str, object], output: str) -> int:
    from avesa.application.catalog import load_catalog
    from avesa.application.erase import Receipt
    from avesa.application.payloads import from_json
    from avesa.entrypoints.working import working

    with working(place) as application:
        payload = dict(task)
        if "table_name" in payload:
            catalog = load_catalog(application.context.lake)
            payload |= {"service": catalog.service, "table_name": catalog.resolve(str(payload["table_name"]))}
        receipt = application.run_step(step, payload)
    if output == "json":
        sys.stdout.write(json.dumps(receipt, ensure_ascii=False) + "\n")
    else:
        _show(from_json(Receipt, receipt))
    return 0


def _show(receipt: Receipt) -> None:
    from avesa.application.erase import receipt_key
    from avesa.entrypoints import telling
    from avesa.entrypoints.terminal import console, printable

    out = console()
    place = receipt.tenant_id if receipt.table_name is None else f"{receipt.tenant_id} {receipt.table_name}"
    if not receipt.is_stored:
        out.print(printable(f"{place}: there was nothing to erase"))
        return
    out.print(printable(f"receipt {receipt.receipt_id}: {receipt.kind} {place} at {telling.time(receipt.erased_at)}"))
    for name, number in receipt.counts.items():
        out.print(f"  {name.replace('_', ' ')}: {telling.count(number)}")
    out.print(f"  size of the erased objects: {telling.size(receipt.size_bytes)}")
    if receipt.subject_sha256 is not None:
        out.print(f"  sha256 of the record's name: {receipt.subject_sha256}")
    out.print(f"  sha256 over the erased keys: {receipt.keys_sha256}")
    for note in receipt.notes:
        out.print(printable(f"  note: {note}"))
    out.print(f"kept in the lake as {receipt_key(receipt.receipt_id)}")
