"""The application of a place for work on what is there already: the lake keeps the mappings that it was loaded with."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from avesa.domain.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from avesa.application.pipeline import Application
    from avesa.entrypoints.options import Place


@contextmanager
def working(place: Place) -> Iterator[Application]:
    """Give the place's application. Raises UsageError where there is no home: none is made."""
    if place.is_local:
        if not (place.home / "state.sqlite3").is_file():
            raise UsageError(
                f"there is no AVESA data in {place.home}: name its folder with --home or AVESA_HOME, or begin with "
                "`avesa demo` or `avesa setup-service`"
            )
        from avesa.bootstrap.local import LocalSettings, local_application

        settings = LocalSettings(home=place.home, secret_key=place.settings.secret_key, is_lake_mapped=True)
        with local_application(settings) as application:
            yield application
        return
    from avesa.bootstrap.deployed import deployed_application, deployed_settings

    with deployed_application(deployed_settings(place.environment)) as application:
        yield application
