"""`avesa status`: what is stale, and looking on."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest
from rich.console import Console

from avesa.application.catalog import load_catalog
from avesa.application.freshness import Freshness, freshness
from avesa.connectors.settings import BackfillConfig, parse_config
from avesa.domain.errors import ConfigError
from avesa.entrypoints.commands.status import watch_tables
from tests.unit.application.world import World

FACTS: dict[str, object] = {
    "tenant_id": "acme",
    "table_name": "service/tickets",
    "is_enabled": True,
    "bookmark_at": "2026-11-23T12:00:00Z",
    "age_seconds": 60,
    "target_seconds": 10_800,
    "is_stale": False,
    "freshness": "fresh",
    "last_success_at": None,
    "lease": None,
    "plan": None,
    "last_error": None,
}


def config(**fields: object) -> BackfillConfig:
    base = {"lookback_days": 1, "window_days": 1, "concurrent_windows": 1}
    return BackfillConfig.model_validate({**base, **fields})


def looked_at(world: World) -> Freshness:
    catalog = load_catalog(world.lake)
    (found,) = freshness(world.state.tenants.list(), world.state.tables.get, catalog, now=world.clock.now())
    return found


def test_a_table_is_stale_once_it_is_older_than_its_target_and_not_before() -> None:
    world = World()
    world.run()
    world.clock.advance(180 * 60 - 1)
    before = looked_at(world)
    world.clock.advance(3)

    assert (before.word, looked_at(world).word) == ("fresh", "stale")


def test_a_table_that_was_never_read_is_as_old_as_its_tenant() -> None:
    world = World()
    world.clock.advance(600)

    found = looked_at(world)

    assert (found.age_seconds, found.is_stale) == (600, False)
    world.clock.advance(180 * 60)
    assert looked_at(world).is_stale


def test_a_paused_tenant_has_no_stale_table() -> None:
    from avesa.application.setup import enable_service

    world = World()
    enable_service(world.context, tenant_id="acme", service="connectwise", is_enabled=False)
    world.clock.advance(timedelta(days=9).total_seconds())

    assert looked_at(world).word == "paused"


def test_the_target_is_the_tenants_then_the_tables_then_the_services_then_the_default() -> None:
    told = config(
        freshness_minutes=5,
        services={"connectwise": {"freshness_minutes": 6}},
        freshness_of_tables={"company/companies": 7},
        tenants={"acme": {"freshness_minutes": 8}},
    )

    assert told.freshness_of("other", "birch", "service/tickets") == 5
    assert told.freshness_of("connectwise", "birch", "service/tickets") == 6
    assert told.freshness_of("connectwise", "birch", "company/companies") == 7
    assert told.freshness_of("connectwise", "acme", "company/companies") == 8


def test_a_target_that_is_no_number_of_minutes_is_refused_by_name() -> None:
    text = '{"lookback_days": 1, "window_days": 1, "concurrent_windows": 1, "freshness_minutes": 0}'

    with pytest.raises(ConfigError, match=r"backfill_config.json: freshness_minutes is 0"):
        parse_config(BackfillConfig, text, file="mappings/backfill_config.json")


def test_watching_shows_what_changed_with_stale_tables_first_until_interrupted() -> None:
    out = Console(file=io.StringIO(), force_terminal=True, width=140, height=30)
    looks = [[FACTS], [FACTS, {**FACTS, "tenant_id": "birch", "is_stale": True, "freshness": "stale"}]]
    pauses = iter([None])

    def pause() -> None:
        if next(pauses, "over") == "over":
            raise KeyboardInterrupt

    ended = watch_tables(out, lambda: looks.pop(0), pause=pause)

    text = out.file.getvalue()  # type: ignore[attr-defined]  # the StringIO from above
    assert ended == 0
    assert "1 tables, 0 stale" in text
    assert text.rindex("birch") < text.rindex("acme")


def test_a_watched_table_that_is_being_loaded_is_one_line_of_eighty_cells() -> None:
    out = Console(file=io.StringIO(), force_terminal=True, color_system=None, width=80, height=24)
    lease = {"job_id": "20261126T112055Z-wyzrm2", "since": "", "expires_at": "", "is_alive": True}
    long = {**FACTS, "table_name": "company/companies", "age_seconds": 10_800, "target_seconds": 10_800, "lease": lease}

    def pause() -> None:
        raise KeyboardInterrupt

    watch_tables(out, lambda: [{**long, "tenant_id": "acme-it"}, {**long, "tenant_id": "birch"}], pause=pause)

    lines = out.file.getvalue().splitlines()  # type: ignore[attr-defined]  # the StringIO from above
    (place,) = (at for at, line in enumerate(lines) if line.startswith("acme-it"))
    assert lines[place + 1].startswith("birch")
    assert "3 h 0 min" in lines[place]
    assert "wyzrm2" in lines[place]
