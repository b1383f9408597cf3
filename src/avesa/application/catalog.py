"""The mappings that a run uses: those in the lake, checked when they are loaded."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from avesa.canonical.mapping import CanonicalMapping, parse_mapping
from avesa.connectors.settings import BackfillConfig, EndpointCatalog, parse_config
from avesa.domain.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from avesa.connectors.settings import Endpoint, Limits
    from avesa.ports.lake import Lake

_PREFIX: Final = "mappings/"
_ENDPOINTS: Final = "integrations/connectwise_endpoints.json"
_BACKFILL: Final = "backfill_config.json"
_CANONICAL: Final = "canonical/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """Endpoints, canonical mappings by table, and how ranges are read again."""

    endpoints: EndpointCatalog
    canonical: Mapping[str, CanonicalMapping]
    backfill: BackfillConfig

    @property
    def service(self) -> str:
        """The service that the catalog describes."""
        return self.endpoints.service

    def endpoint(self, name: str) -> Endpoint:
        """Return an endpoint that runs may read; raise UsageError that lists the known ones."""
        endpoint = self.endpoints.endpoints.get(name)
        if endpoint is None:
            known = ", ".join(self.endpoints.enabled())
            raise UsageError(f"unknown table {name!r}; the enabled tables are: {known}")
        if not endpoint.enabled:
            message = f"table {name!r} is disabled; set endpoints[{name!r}].enabled to true in {_PREFIX}{_ENDPOINTS}"
            raise UsageError(message)
        return endpoint

    def resolve(self, name: str) -> str:
        """Return the endpoint's name for an endpoint's or a canonical table's name (`tickets`)."""
        for endpoint_name, endpoint in self.endpoints.endpoints.items():
            if endpoint.enabled and endpoint.canonical_table == name:
                return endpoint_name
        self.endpoint(name)
        return name

    def limits(self, name: str) -> Limits:
        """Return how hard the endpoint may be asked."""
        return self.endpoints.limits_of(name)

    def mapping(self, name: str) -> CanonicalMapping | None:
        """Return the canonical mapping of an endpoint; None when only its raw records are kept."""
        table = self.endpoint(name).canonical_table
        return None if table is None else self.canonical[table]


def parse_catalog(files: Mapping[str, bytes], *, folder: str = "mappings") -> Catalog:
    """Return the checked catalog from files by relative name; raise ConfigError that names file, path and what is
    allowed.
    """
    for name in (_ENDPOINTS, _BACKFILL):
        if name not in files:
            raise ConfigError(f"{folder}/{name} is missing; copy it from the package's mappings, or drop --mappings")
    endpoints = parse_config(EndpointCatalog, files[_ENDPOINTS], file=f"{folder}/{_ENDPOINTS}")
    backfill = parse_config(BackfillConfig, files[_BACKFILL], file=f"{folder}/{_BACKFILL}")
    canonical = {}
    for name in sorted(files):
        if name.startswith(_CANONICAL) and name.endswith(".json"):
            mapping = parse_mapping(files[name], file=f"{folder}/{name}")
            canonical[mapping.table] = mapping
    _check_references(endpoints, canonical, f"{folder}/{_ENDPOINTS}")
    return Catalog(endpoints=endpoints, canonical=canonical, backfill=backfill)


def _check_references(endpoints: EndpointCatalog, canonical: Mapping[str, CanonicalMapping], file: str) -> None:
    problems = [
        f"{file}: endpoints[{name!r}].canonical_table is {endpoint.canonical_table!r}; there are mappings for: "
        f"{', '.join(sorted(canonical)) or 'none'}"
        for name, endpoint in endpoints.endpoints.items()
        if endpoint.enabled and endpoint.canonical_table is not None and endpoint.canonical_table not in canonical
    ]
    for name, endpoint in endpoints.endpoints.items():
        mapping = canonical.get(endpoint.canonical_table or "")
        if mapping is not None and mapping.endpoint != name:
            problems.append(
                f"{file}: endpoints[{name!r}].canonical_table is {mapping.table!r}, whose mapping is for "
                f"{mapping.endpoint!r}"
            )
    if problems:
        raise ConfigError("\n".join(problems))


@lru_cache(maxsize=4)
def _parsed(files: tuple[tuple[str, bytes], ...]) -> Catalog:
    """Return the catalog; every step of a run asks for the same one, and checking it takes longer than most steps."""
    return parse_catalog(dict(files), folder="mappings")


def load_catalog(lake: Lake) -> Catalog:
    """Return the catalog of the lake's own mappings."""
    files = {info.key.removeprefix(_PREFIX): lake.get(info.key) for info in lake.list(_PREFIX)}
    return _parsed(tuple(sorted(files.items())))


def publish_catalog(lake: Lake, files: Mapping[str, bytes], *, folder: str) -> Catalog:
    """Check `files`, then bring them into the lake; nothing is written when one of them is wrong."""
    catalog = parse_catalog(files, folder=folder)
    present = {info.key for info in lake.list(_PREFIX)}
    for name, content in files.items():
        key = _PREFIX + name
        if key not in present or lake.get(key) != content:
            lake.put(key, content, overwrite=True)
    lake.delete(sorted(present - {_PREFIX + name for name in files}))
    return catalog
