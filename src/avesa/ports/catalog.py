"""Where analysts' engines look canonical tables up; the tables themselves need no catalog."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from avesa.canonical.mapping import CanonicalMapping


class TableCatalog(Protocol):
    """Names of canonical tables in a catalog beside the lake.

    Raises StorageError with the cause when the catalog refuses; the tables are whole all the same.
    """

    def register(self, tenant_id: str, mapping: CanonicalMapping) -> None:
        """Make the tenant's table known under its mapping's name, with its columns as they are now.

        Calling it again changes nothing; what others added to the entry stays.
        """

    def forget(self, tenant_id: str) -> None:
        """Remove every entry of the tenant; none there is no error, and no data is touched."""
