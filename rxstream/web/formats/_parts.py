"""The parts of an answer that every format for browsers has, under names of its own."""

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from rxstream.events import Annotation, Usage

FinishReason: TypeAlias = Literal["stop", "length", "content-filter", "tool-calls", "other"]


@dataclass(frozen=True, slots=True)
class StepStart:
    """A response begins. `number` is counted from 1."""

    number: int


@dataclass(frozen=True, slots=True)
class StepEnd:
    """A response has ended, and so have the calls that it asked for."""

    number: int


@dataclass(frozen=True, slots=True)
class TextStart:
    """A text begins: of the answer (with refusals), or of the reasoning. `number` is its own in the whole stream."""

    number: int
    reasoning: bool


@dataclass(frozen=True, slots=True)
class TextPiece:
    """A piece of a text. It is not empty."""

    number: int
    reasoning: bool
    text: str


@dataclass(frozen=True, slots=True)
class TextEnd:
    """A text is whole, or was cut."""

    number: int
    reasoning: bool


@dataclass(frozen=True, slots=True)
class CallStart:
    """A call of a tool begins."""

    call_id: str
    """Its own in the whole stream: that of the API, with a number behind it if an earlier call has the same."""
    name: str
    kind: str
    """The type of its item, such as "function_call"."""
    hosted: bool
    """Whether the server runs it."""
    text_input: bool
    """Whether the pieces of its input are free text. Others are pieces of JSON."""


@dataclass(frozen=True, slots=True)
class CallInputPiece:
    """A piece of the input. It is not empty. Calls whose input arrives whole have none."""

    call_id: str
    text: str


@dataclass(frozen=True, slots=True)
class CallInput:
    """The input is whole, or cannot be used."""

    call_id: str
    name: str
    value: Any
    """JSON, or the text of a free input."""
    json_text: str
    """What `value` is as JSON; as the model wrote it, as far as it wrote JSON."""
    error: str | None = None
    """Why it cannot be used: it was cut, or is not JSON. Then `value` is its text."""
    cut: bool = False
    """Whether it was cut. No result follows."""


@dataclass(frozen=True, slots=True)
class ApprovalRequest:
    """A call waits for approval. `approval_id` is what an answer repeats."""

    call_id: str
    approval_id: str
    kind: str


@dataclass(frozen=True, slots=True)
class ApprovalAnswer:
    """A call was approved, or not."""

    call_id: str
    approval_id: str
    approved: bool


@dataclass(frozen=True, slots=True)
class CallProgress:
    """What a running call reports: JSON."""

    call_id: str
    value: Any


@dataclass(frozen=True, slots=True)
class CallResult:
    """The result of a call: JSON."""

    call_id: str
    output: Any
    failed: bool = False
    error: str | None = None
    """What went wrong, of a call that the server ran."""


@dataclass(frozen=True, slots=True)
class SourcePart:
    """A citation of a page or a file. `number` is its own in the whole stream."""

    number: int
    annotation: Annotation


@dataclass(frozen=True, slots=True)
class FilePart:
    """A file that the model made, as a data URL."""

    media_type: str
    url: str


@dataclass(frozen=True, slots=True)
class StreamFinish:
    """The answer is whole, or was cut short. It is the last part."""

    reason: FinishReason
    usage: Usage | None
    pending: tuple[str, ...]
    """The ids of the calls that wait for an answer of the client."""
    approvals: tuple[ApprovalRequest, ...]
    """Those that wait for an approval of the client."""


@dataclass(frozen=True, slots=True)
class StreamFailure:
    """The answer ended with an error. It is the last part."""

    error: Exception


@dataclass(frozen=True, slots=True)
class StreamCancel:
    """The response was cancelled on the server. It is the last part."""


AnswerPart: TypeAlias = (
    StepStart
    | StepEnd
    | TextStart
    | TextPiece
    | TextEnd
    | CallStart
    | CallInputPiece
    | CallInput
    | ApprovalRequest
    | ApprovalAnswer
    | CallProgress
    | CallResult
    | SourcePart
    | FilePart
    | StreamFinish
    | StreamFailure
    | StreamCancel
)
