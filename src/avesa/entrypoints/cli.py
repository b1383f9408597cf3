"""`avesa`: registers the commands, and turns every ending into an exit status and one clear message.

Exit status: 0 all completed, 1 something failed or was skipped, 2 the call was wrong, 130 ended by Ctrl-C.
"""

from __future__ import annotations

import os
import sys
import traceback
from typing import TYPE_CHECKING, Final

import click

from avesa import __version__
from avesa.domain.errors import AvesaError, UsageError
from avesa.entrypoints.commands.demo import demo
from avesa.entrypoints.commands.deployments import deployments
from avesa.entrypoints.commands.erase import erase_record, erase_tenant
from avesa.entrypoints.commands.jobs import job, jobs
from avesa.entrypoints.commands.maintain import maintain
from avesa.entrypoints.commands.plan import plan
from avesa.entrypoints.commands.quarantine import quarantine
from avesa.entrypoints.commands.query import query
from avesa.entrypoints.commands.rotate_secret import rotate_secret
from avesa.entrypoints.commands.run import backfill, rebuild, run
from avesa.entrypoints.commands.setup_service import setup_service
from avesa.entrypoints.commands.simulate import simulate
from avesa.entrypoints.commands.status import status
from avesa.entrypoints.commands.verify import verify
from avesa.entrypoints.options import examples

if TYPE_CHECKING:
    from collections.abc import Sequence

FAILED: Final = 1
WRONG_CALL: Final = 2
INTERRUPTED: Final = 130


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=examples(
        "avesa demo                                     see the whole of it in half a minute",
        "avesa setup-service --tenant-id acme --company-name 'Acme IT' --service connectwise",
        "avesa run                                      load what is new, of all tenants",
        "avesa query 'SELECT status, count(*) FROM tickets WHERE is_current GROUP BY 1'",
    ),
)
@click.version_option(__version__, prog_name="avesa")
def cli() -> None:
    """Bring service-desk data of many tenants into an open lake, with every version of every record.

    Data, state and secrets lie in one folder: --home, else the variable AVESA_HOME, else ./avesa-data.
    """


for _command in (
    *(demo, setup_service, rotate_secret, plan, run, status, jobs, job, query, rebuild, backfill, simulate),
    *(quarantine, verify, maintain, erase_tenant, erase_record, deployments),
):
    cli.add_command(_command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and end the process with its exit status."""
    sys.exit(_ended(sys.argv[1:] if arguments is None else arguments))


def _ended(arguments: Sequence[str]) -> int:
    try:
        status = cli.main(args=list(arguments), prog_name="avesa", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except AvesaError as error:
        print(f"error: {error}", file=sys.stderr)
        return WRONG_CALL if isinstance(error, UsageError) else FAILED
    except (BrokenPipeError, click.Abort) as error:
        return _left(error)
    except Exception as error:  # noqa: BLE001 - the last door: nobody above could tell the user anything better
        return _unforeseen(error)
    return status if isinstance(status, int) else 0


def _left(error: BrokenPipeError | click.Abort) -> int:
    """Take leave of a user who interrupted us, or of a reader who has seen enough."""
    if isinstance(error, click.Abort):
        print("avesa: interrupted", file=sys.stderr)
        return INTERRUPTED
    _quieten()
    return FAILED


def _unforeseen(error: Exception) -> int:
    """Say that the fault is ours. The traceback only on demand: its lines could quote what it was working on."""
    from avesa.bootstrap.environment import is_debugging

    if is_debugging():
        traceback.print_exc()
    print(
        f"error: unforeseen {type(error).__name__}: {error}\n"
        "This is a fault in AVESA, please report it with what you called; AVESA_DEBUG=1 shows where it happened.",
        file=sys.stderr,
    )
    return FAILED


def _quieten() -> None:
    """Whoever read our output has gone: let the interpreter's last flush go nowhere, where it would complain."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


if __name__ == "__main__":
    main()
