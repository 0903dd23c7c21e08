"""What the core of a run asks for: `rxstream.operators.run_tools` carries it out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from rxstream.events import Event
from rxstream.tools._ledger import LedgerRecord
from rxstream.tools._pending_call import PendingCall


@dataclass(frozen=True, slots=True)
class EmitEvent:
    event: Event


@dataclass(frozen=True, slots=True)
class AskApproval:
    """Ask whether the call may run; then call `approved`, `denied` or `failed`."""

    call: PendingCall


@dataclass(frozen=True, slots=True)
class StartCall:
    """Run the tool of the call; then call `finished` or `failed`."""

    call: PendingCall


@dataclass(frozen=True, slots=True)
class AskModel:
    """Subscribe to the next turn, for this conversation, or for what of it is new."""

    items: list[Any]


@dataclass(frozen=True, slots=True)
class ReopenTurn:
    """Subscribe to the turn whose response has begun in an earlier process. `items` are those of `AskModel`."""

    response_id: str
    items: list[Any]


@dataclass(frozen=True, slots=True)
class SubscribeSource:
    """Subscribe to the first turn. Only a run with a ledger says so; others begin with the subscription."""


@dataclass(frozen=True, slots=True)
class RecordStep:
    """Append the record to the ledger. The actions that follow must wait until that is done."""

    record: LedgerRecord


@dataclass(frozen=True, slots=True)
class EndRun:
    """Complete, or fail with the error. What still runs is cancelled."""

    error: Exception | None = None


RunAction: TypeAlias = (
    EmitEvent | AskApproval | StartCall | AskModel | ReopenTurn | SubscribeSource | RecordStep | EndRun
)
