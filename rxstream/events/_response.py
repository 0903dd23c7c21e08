"""The response, as the lifecycle events carry it."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias, cast

from pydantic import Field, model_validator

from rxstream.events._base import Model
from rxstream.events._item_types import MessageItem
from rxstream.events._item_union import OutputItem
from rxstream.events._lenient import OPEN, Code, Json, JsonObject, Lenient, Number
from rxstream.events._parts import OutputTextPart, ResponseErrorInfo, TextPart

__all__ = [
    "Conversation",
    "IncompleteDetails",
    "InputTokensDetails",
    "Moderation",
    "ModerationFailure",
    "ModerationResult",
    "OutputTokensDetails",
    "Reasoning",
    "Response",
    "ResponseStatus",
    "TextConfig",
    "Usage",
]

# --- usage -----------------------------------------------------------------------------------------------------------


class InputTokensDetails(Model, frozen=True):
    """The numbers of input tokens that were read from a cache, or written to one."""

    cached_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_tokens_details: JsonObject | None = None


class OutputTokensDetails(Model, frozen=True):
    """The number of output tokens that were reasoning."""

    reasoning_tokens: int = 0


_CHAT_NAMES = {"input_tokens": "prompt_tokens", "output_tokens": "completion_tokens"}
"""The names of the Chat Completions API, which some servers send here too."""


def _sum_counts(total: Any, counts: Any) -> Any:
    """The sum of two objects of numbers, also nested ones. Other values are those of the later."""
    if isinstance(total, Mapping) and isinstance(counts, Mapping):
        one, other = cast("Mapping[str, Any]", total), cast("Mapping[str, Any]", counts)
        return {name: _sum_counts(one.get(name), other.get(name)) for name in {**one, **other}}
    if isinstance(total, int | float) and isinstance(counts, int | float):
        return total + counts
    return cast("Any", total if counts is None else counts)


class Usage(Model, frozen=True):
    """The tokens that a response used. Counts under the names of the Chat Completions API are read too."""

    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0
    input_tokens_details: Lenient[InputTokensDetails] | None = None
    output_tokens_details: Lenient[OutputTokensDetails] | None = None

    @model_validator(mode="after")
    def _read_chat_names(self) -> "Usage":
        extra = self.__pydantic_extra__ or {}
        for name, chat_name in _CHAT_NAMES.items():
            count = extra.get(chat_name)
            if name not in self.model_fields_set and isinstance(count, int):
                object.__setattr__(self, name, count)  # not among the fields that were sent: a dump is unchanged
        if "total_tokens" not in self.model_fields_set:
            object.__setattr__(self, "total_tokens", self.input_tokens + self.output_tokens)
        return self

    def __add__(self, other: "Usage | None") -> "Usage":
        """The counts of both, also nested ones. What is not a count is that of the later one."""
        if other is None:
            return self
        sums = _sum_counts(self.model_dump(), other.model_dump())
        for name in ("input_tokens", "output_tokens", "total_tokens"):  # a server may send one under another name
            sums[name] = getattr(self, name) + getattr(other, name)
        return Usage.model_validate(sums)

    @property
    def is_empty(self) -> bool:
        """Whether the server sent no counts: some send `{}`."""
        return not (self.model_fields_set or self.__pydantic_extra__)

    @property
    def cached_tokens(self) -> int:
        """The number of input tokens that were read from a cache; 0 if the server does not send it."""
        return self.input_tokens_details.cached_tokens if self.input_tokens_details else 0

    @property
    def reasoning_tokens(self) -> int:
        """The number of output tokens that were reasoning; 0 if the server does not send it."""
        return self.output_tokens_details.reasoning_tokens if self.output_tokens_details else 0


# --- endings and moderation ------------------------------------------------------------------------------------------


class IncompleteDetails(Model, frozen=True):
    """Why a response was cut short."""

    reason: Annotated[Literal["max_output_tokens", "content_filter", "max_messages", "steered"] | str, OPEN] | None = (
        None
    )


class ModerationResult(Model, frozen=True):
    """The API's own verdict on the input or the output."""

    type: Literal["moderation_result"]
    flagged: bool
    model: str = ""
    categories: dict[str, bool | None] = Field(default_factory=dict[str, bool | None])
    category_scores: dict[str, Number | None] = Field(default_factory=dict[str, Number | None])
    category_applied_input_types: dict[str, list[str] | None] = Field(default_factory=dict[str, list[str] | None])


class ModerationFailure(Model, frozen=True):
    """The API could not moderate the input or the output."""

    type: Literal["error"]
    code: Code | None = None
    message: str = ""


class Moderation(Model, frozen=True):
    """The API's own verdicts, if the request has `moderation=`. Only the terminal event has them."""

    input: Annotated[ModerationResult | ModerationFailure, Field(discriminator="type")] | None = None
    output: Annotated[ModerationResult | ModerationFailure, Field(discriminator="type")] | None = None


# --- settings of the request -----------------------------------------------------------------------------------------


class Reasoning(Model, frozen=True):
    """The settings of reasoning in the request."""

    effort: Annotated[Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | str, OPEN] | None = None
    summary: Annotated[Literal["auto", "concise", "detailed"] | str, OPEN] | None = None
    context: str | None = None
    mode: str | None = None
    generate_summary: str | None = None


class TextConfig(Model, frozen=True):
    """The settings of the answer's text in the request."""

    format: JsonObject | None = None
    verbosity: Annotated[Literal["low", "medium", "high"] | str, OPEN] | None = None


class Conversation(Model, frozen=True):
    """The conversation that a response belongs to."""

    id: str = ""


# --- the response ----------------------------------------------------------------------------------------------------

ResponseStatus: TypeAlias = Annotated[
    Literal["completed", "failed", "in_progress", "cancelled", "queued", "incomplete"] | str, OPEN
]


class Response(Model, frozen=True):
    """A snapshot of a response. Before the end, servers send `output` empty and `usage` null."""

    id: str = ""
    object: str = "response"
    status: ResponseStatus | None = None
    model: str | None = None
    created_at: Number | None = None
    completed_at: Number | None = None
    output: list[OutputItem] = Field(default_factory=list[OutputItem])
    sent_output_text: str | None = Field(default=None, alias="output_text")
    """The field `output_text` of the JSON, which few servers send. `output_text` is the text of the messages."""
    usage: Lenient[Usage] | None = None
    synthetic: bool = False
    """True where rxstream completed the output of the terminal event from earlier events."""
    error: Lenient[ResponseErrorInfo] | None = None
    incomplete_details: Lenient[IncompleteDetails] | None = None
    moderation: Lenient[Moderation] | None = None
    previous_response_id: str | None = None
    conversation: Lenient[Conversation] | None = None
    instructions: str | list[JsonObject] | None = None
    background: bool | None = None
    store: bool | None = None
    tools: list[JsonObject] | None = None
    tool_choice: Json = None
    parallel_tool_calls: bool | None = None
    max_tool_calls: int | None = None
    max_output_tokens: int | None = None
    reasoning: Lenient[Reasoning] | None = None
    text: Lenient[TextConfig] | None = None
    temperature: Number | None = None
    top_p: Number | None = None
    top_logprobs: int | None = None
    presence_penalty: Number | None = None
    frequency_penalty: Number | None = None
    truncation: Annotated[Literal["auto", "disabled"] | str, OPEN] | None = None
    service_tier: str | None = None
    metadata: JsonObject | None = None
    user: str | None = None
    safety_identifier: str | None = None
    prompt: Json = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: str | None = None
    prompt_cache_options: Json = None
    prompt_cache_diagnostics: Json = None
    access_programs: Json = None
    image: Json = None
    input_transformations: Json = None
    tool_usage: Json = None

    @property
    def output_text(self) -> str:
        """The text of all messages, joined; if there is none, `sent_output_text`."""
        texts = (
            part.text
            for item in self.output
            if isinstance(item, MessageItem)
            for part in item.content
            if isinstance(part, OutputTextPart | TextPart)
        )
        return "".join(texts) or self.sent_output_text or ""
