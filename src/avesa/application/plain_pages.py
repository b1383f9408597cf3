"""Pages for raw stores that have no quicker way: records one by one, and no columns beside them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 - a dataclass's types are looked up by tools at run time
from typing import TYPE_CHECKING

from avesa.connectors.pages import Page, split_page

if TYPE_CHECKING:
    from collections.abc import Sequence

    from avesa.domain.model import RawRecord
    from avesa.ports.tables import PageOrigin, PartName, RawPart, SplitPage


@dataclass(frozen=True, kw_only=True)
class _PlainPage(Page):
    """A page that remembers when it was read."""

    ingested_at: datetime


class PlainPages(ABC):
    """The page half of a RawStore, on its `write`."""

    @abstractmethod
    def write(self, name: PartName, records: Sequence[RawRecord], *, ingested_at: datetime) -> RawPart:
        """Make one part durable; see the port."""

    def pack(self, body: bytes, origin: PageOrigin) -> SplitPage:
        """Make what can be stored of a page; see the port."""
        page = split_page(body, drop_fields=origin.drop_fields)
        return _PlainPage(records=page.records, rejected=page.rejected, ingested_at=origin.ingested_at)

    def put_page(self, name: PartName, page: SplitPage) -> RawPart:
        """Make a packed page durable; see the port."""
        if not isinstance(page, _PlainPage):
            raise TypeError("this page was packed by another store")
        return self.write(name, page.records, ingested_at=page.ingested_at)
