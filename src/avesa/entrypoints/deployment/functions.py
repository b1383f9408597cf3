"""Calls every deployed function once, with an event that changes nothing: its package loads, and is this one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from avesa import __version__
from avesa.domain.errors import AvesaError
from avesa.entrypoints.deployment.validation import function_name, functions_of

if TYPE_CHECKING:
    from avesa.bootstrap.account import Site


def check_functions(site: Site, *, is_verbose: bool) -> int:
    """Print a line for each function; return the exit status: 1 when one does not answer as it should."""
    functions = functions_of(site)
    failed = [slug for slug in functions if not _check(site, slug, is_verbose=is_verbose)]
    print(f"{len(functions) - len(failed)} of {len(functions)} functions answer as they should")
    if failed:
        print(f"deploy again: ./scripts/deploy.sh --environment {site.environment.value} --region {site.region}")
    return 1 if failed else 0


def _check(site: Site, slug: str, *, is_verbose: bool) -> bool:
    name = function_name(site, slug)
    try:
        found = site.account.invoke(name, {"step": "check"})
    except AvesaError as error:
        print(f"FAILED {name}: {error}")
        return False
    told = dict(found.answer)
    version = told.get("version")
    if found.is_error:
        print(f"FAILED {name}: {told.get('errorType')}: {told.get('errorMessage')}")
        return False
    if version != __version__:
        print(f"FAILED {name}: it is version {version}, this checkout is {__version__}")
        return False
    print(f"ok     {name}: version {version}, Python {told.get('python')}, {found.seconds:.1f} s")
    if is_verbose:
        print(f"       steps: {', '.join(map(str, _steps(told))) or 'none: it is called with requests'}")
    return True


def _steps(told: dict[str, object]) -> list[object]:
    steps = told.get("steps")
    return steps if isinstance(steps, list) else []
