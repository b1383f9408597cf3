"""Every error AVESA raises on purpose, in one tree sorted by what the caller does next.

AvesaError                     what a command prints; exit status 1
├── UsageError                 the call was wrong: correct it; exit status 2
│   └── ConfigError            a mapping, setting or stored item is wrong: correct the file
├── SourceError                the service behind a connector
│   ├── TransientSourceError   ask again, within a budget
│   ├── WaitTooLong            ask nothing more now; run again when the service's pause is over
│   ├── TablePermanentError    give up on this table, go on with the others
│   └── TenantPermanentError   give up on this tenant, go on with the others
├── DataError                  one record cannot be read: quarantine it, go on
├── LeaseHeld                  somebody else works on this table: skip it
├── LeaseLost                  somebody else took this table over: stop, write nothing more
├── CommitConflict             another writer was first: nothing of ours landed
├── CommitOutcomeUnknown       look whether it landed before trying again; delete nothing
├── IncompleteError            the source and the lake disagree: no success without evidence
├── MassDeleteRefused          the guard held a sweep back: a human decides
└── StorageError               the disk or the store refused: mend it, run again
"""

from __future__ import annotations


class AvesaError(Exception):
    """Something AVESA can explain; its text says what, where, why and what to do."""


class UsageError(AvesaError):
    """The call cannot be carried out as it was written; nothing was done."""


class ConfigError(UsageError):
    """A mapping file, a setting or a stored configuration is not usable as it stands."""


class SourceError(AvesaError):
    """The service did not give what it was asked for."""


class TransientSourceError(SourceError):
    """Asking again may succeed. `retry_after_seconds` is the service's own wish, if it told one."""

    def __init__(self, message: str, *, retry_after_seconds: float | None = None, is_throttled: bool = False) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds
        self.is_throttled = is_throttled


class WaitTooLong(SourceError):  # noqa: N818 - a fact about the service, not a failure
    """The service asks for a longer pause than a run waits; nobody asks it anything before the pause is over."""


class TablePermanentError(SourceError):
    """Asking again cannot succeed for this table (403, 400); other tables may."""


class TenantPermanentError(SourceError):
    """Asking again cannot succeed for this tenant (401, an unknown company)."""


class DataError(AvesaError):
    """One record cannot be read; the reason never quotes the record."""


class LeaseHeld(AvesaError):  # noqa: N818 - a fact about ownership, not a failure
    """Another run holds the table. `holder` is its job id, `age_seconds` how long it has held."""

    def __init__(self, message: str, *, holder: str, age_seconds: float) -> None:
        super().__init__(message)
        self.holder = holder
        self.age_seconds = age_seconds


class LeaseLost(AvesaError):  # noqa: N818 - a fact about ownership, not a failure
    """The lease has a newer fence than ours: another run took over, ours must not write."""


class CommitConflict(AvesaError):  # noqa: N818 - a fact about ownership, not a failure
    """Another commit came first; nothing of ours is visible. Read again, fold again."""


class CommitOutcomeUnknown(AvesaError):  # noqa: N818 - a fact, the commit may have landed
    """The commit may or may not have landed. Look first; delete nothing."""


class IncompleteError(AvesaError):
    """The source's own count or ids and the durable rows disagree and nothing explains it."""


class MassDeleteRefused(AvesaError):  # noqa: N818 - a decision, not a failure of the code
    """A sweep found more missing records than the guard lets it close; nothing was closed."""


class StorageError(AvesaError):
    """The lake or the state store could not be read or written (full, read-only, damaged)."""
