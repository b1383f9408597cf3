"""What AWS refuses, told in our words: what was asked, AWS's own code, and what to do about it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from avesa.domain.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator

_DENIED: Final = "these credentials have no right to it; look at the policy of the role that asks"
_MISSING: Final = (
    "it is not there; deploy the environment first (scripts/deploy.sh), or look at --environment and region"
)
_BUSY: Final = "AWS asks for less; run again, what is durable stays"
_ADVICE: Final = {
    "AccessDenied": _DENIED,
    "AccessDeniedException": _DENIED,
    "ExpiredToken": "the credentials have expired; sign in again",
    "ExpiredTokenException": "the credentials have expired; sign in again",
    "ResourceNotFoundException": _MISSING,
    "StateMachineDoesNotExist": _MISSING,
    "ThrottlingException": _BUSY,
    "ProvisionedThroughputExceededException": _BUSY,
    "RequestLimitExceeded": _BUSY,
}


def code_of(error: ClientError) -> str:
    """Return AWS's own name of what went wrong."""
    return str(error.response.get("Error", {}).get("Code", ""))


@contextlib.contextmanager
def refusals(what: str) -> Iterator[None]:
    """Raise StorageError that names `what`, AWS's code and its words for whatever AWS refuses within the context."""
    try:
        yield
    except ClientError as error:
        code = code_of(error)
        words = error.response.get("Error", {}).get("Message", "")
        advice = _ADVICE.get(code, "mend the cause, then run again")
        raise StorageError(f"{what}: AWS answered {code} ({words}); {advice}") from error
    except NoCredentialsError as error:
        raise StorageError(f"{what}: there are no AWS credentials; sign in, or set AWS_PROFILE") from error
    except BotoCoreError as error:
        raise StorageError(
            f"{what}: AWS cannot be asked ({error}); check region and network, then run again"
        ) from error
