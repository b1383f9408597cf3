"""Receipts: what proves that something was erased, without telling what it was."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from datetime import datetime  # noqa: TC003 - read at run time when a stored receipt is decoded
from typing import TYPE_CHECKING

import msgspec

from avesa.domain.names import RECEIPTS_PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterable

    from avesa.application.context import StepContext


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """Proof that something was erased. It holds no personal data: what was erased is counted and hashed."""

    receipt_id: str
    kind: str
    """erase-tenant or erase-record."""
    tenant_id: str
    table_name: str | None = None
    subject_sha256: str | None = None
    """Of `{tenant}/erased/{service}/{table}/{id}`: who knows a record's id can tell that it is the one."""
    erased_at: datetime
    avesa_version: str
    counts: dict[str, int] = field(default_factory=dict)
    size_bytes: int = 0
    """Of the objects of the lake that are gone."""
    keys_sha256: str
    """Over the keys of all that is gone, sorted, each followed by a line break."""
    is_complete: bool = False
    """False in a receipt that was kept before the work and never replaced: the process died, the call must be
    repeated.
    """
    is_stored: bool = False
    """Whether the lake keeps it: not when there was nothing to erase."""
    notes: tuple[str, ...] = ()


def receipt_key(receipt_id: str) -> str:
    """Return where the lake keeps a receipt."""
    return f"{RECEIPTS_PREFIX}{receipt_id}.json"


def keys_digest(keys: Iterable[str]) -> str:
    """Return the hash over keys, in any order and however often they come."""
    return hashlib.sha256("".join(f"{key}\n" for key in sorted(set(keys))).encode()).hexdigest()


def store(context: StepContext, receipt: Receipt) -> Receipt:
    """Keep a receipt, in place of its own earlier form, and return it as it is kept.

    Nothing is kept of a call that found nothing to erase.
    """
    if not any(receipt.counts.values()):
        return receipt
    kept = replace(receipt, is_stored=True)
    context.lake.put(receipt_key(kept.receipt_id), msgspec.json.encode(kept), overwrite=True)
    return kept
