"""What makes a page unbelievable although it is a page: asked for again, before anything of it is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from avesa.domain.errors import TransientSourceError

if TYPE_CHECKING:
    from avesa.ports.tables import SplitPage


def check_content(page: SplitPage, path: str) -> None:
    """Raise TransientSourceError for records of an id alone: the answer to another question, which would lie in the
    table as a nearly empty row.
    """
    if page.bare_id is not None:
        raise TransientSourceError(f"{path}: the page holds ids in the place of records (id {page.bare_id})")


def check_order(page: SplitPage, path: str, *, after: int | None, upto: int | None) -> None:
    """Raise TransientSourceError unless ids ascend within (after, upto]: a repeated or unordered page would hide
    records.
    """
    last = after
    for record_id in page.ids:
        if last is not None and record_id <= last:
            raise TransientSourceError(f"{path}: the page repeats an id or is out of order ({record_id} after {last})")
        last = record_id
    if page.ids and upto is not None and page.ids[-1] > upto:
        raise TransientSourceError(f"{path}: the page ignores the condition id <= {upto} (it holds {page.ids[-1]})")
