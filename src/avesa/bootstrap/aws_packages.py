"""What differs between the two Lambda packages, and a machine where everything is installed: the table engines.

pyarrow and deltalake do not fit into one function, so the chunk package has no canonical store, and the transform
package reads and writes raw without pyarrow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn, cast

from avesa.domain.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from avesa.ports.lake import Lake
    from avesa.ports.source import RequestBudget
    from avesa.ports.tables import CanonicalStore, RawStore
    from avesa.ports.time import Clock
    from avesa.ports.upkeep import Eraser, Upkeep


def raw_store(package: str | None, lake: Lake) -> RawStore:
    """Return the raw store that the package's engine allows."""
    if package == "transform":
        from avesa.adapters.parquet.portable import PortableRawStore

        return PortableRawStore(lake)
    from avesa.adapters.parquet.raw import ParquetRawStore

    return ParquetRawStore(lake)


def canonical_store(package: str | None, lake: Lake, clock: Clock) -> CanonicalStore:
    """Return the canonical store; in a package without its engines, one that says so when it is used."""
    if package == "chunk":
        return cast("CanonicalStore", _NotInPackage())
    from avesa.adapters.delta.store import DeltaCanonicalStore

    return DeltaCanonicalStore(lake, clock)


def upkeep(package: str | None, lake: Lake, eraser: Eraser, clock: Clock) -> Upkeep | None:
    """Return what looking after the lake needs; None in a package without the table engines."""
    if package == "chunk":
        return None
    from avesa.adapters.delta.audit import DeltaTableAudit
    from avesa.adapters.delta.maintenance import DeltaTableMaintainer
    from avesa.adapters.parquet.reading import ParquetRawReader
    from avesa.ports.upkeep import Upkeep

    return Upkeep(
        raw=ParquetRawReader(lake),
        tables=DeltaTableAudit(lake),
        eraser=eraser,
        maintainer=DeltaTableMaintainer(lake, clock),
    )


def own_budget(clock: Clock) -> Callable[[str, str, int], RequestBudget]:
    """Return the budget of a caller who works for no single tenant: shared by its own threads."""
    book: Callable[[str, str, int], RequestBudget] | None = None

    def budget(site: str, company: str, max_concurrency: int) -> RequestBudget:
        nonlocal book
        if book is None:
            # When it is asked for: the functions that ask no source have no local adapters in their package.
            from avesa.adapters.local.budget import BudgetBook

            book = BudgetBook(clock=clock).get
        return book(site, company, max_concurrency)

    return budget


class _NotInPackage:
    """Refuses to be used, not to be looked at: planning a table names the fold that another function will do."""

    def __getattr__(self, name: str) -> Callable[..., NoReturn]:
        def refuse(*_given: object, **_named: object) -> NoReturn:
            raise ConfigError(
                f"canonical tables ({name}) need the transform package; this function has the chunk package: invoke "
                "avesa-canonical-transform for this step"
            )

        return refuse
