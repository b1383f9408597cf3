"""What a set-up finds of each table's time filter."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from avesa.application import setup

if TYPE_CHECKING:
    from avesa.domain.model import Window

CATALOG: Any = SimpleNamespace(
    endpoints=SimpleNamespace(enabled=lambda: ["company/companies", "time/entries"]),
    endpoint=lambda name: SimpleNamespace(path=name, incremental_field="lastUpdated"),
    limits=lambda _: None,
)


def source(*, is_broken: bool) -> Any:  # noqa: ANN401 - stands for a source
    """Return a source without companies and with nine time entries."""

    def count(endpoint: Any, _: object, *, window: Window) -> tuple[int, object]:  # noqa: ANN401
        has_since = window.since is not None
        finds = not has_since or not (is_broken or window.since.year > 2100)  # type: ignore[union-attr]
        return (9 if endpoint.path == "time/entries" and finds else 0), None

    return SimpleNamespace(count=count)


@pytest.mark.parametrize("is_broken", [True, False])
def test_the_filter_of_an_empty_table_is_trusted_as_far_as_its_neighbours(*, is_broken: bool) -> None:
    probes = setup.tested(source(is_broken=is_broken), CATALOG)

    assert [probe.records for probe in probes] == [0, 9]
    assert [probe.is_filter_trusted for probe in probes] == [not is_broken] * 2
