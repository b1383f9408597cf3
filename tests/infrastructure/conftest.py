"""The templates as the CDK's own command would get them: made once, by app.py, without any AWS credentials."""

from __future__ import annotations

import pytest

from tests.infrastructure.templates import Assembly, synthesized


@pytest.fixture(scope="session")
def assemblies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Assembly]:
    return synthesized(tmp_path_factory.mktemp("assemblies"), ["dev", "prod"])


@pytest.fixture(scope="session", params=["dev", "prod"])
def assembly(request: pytest.FixtureRequest, assemblies: dict[str, Assembly]) -> Assembly:
    return assemblies[str(request.param)]
