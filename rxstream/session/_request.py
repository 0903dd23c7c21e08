"""The fields of `POST /responses`, for the editor's completion."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict

JsonObject = Mapping[str, Any]


class ResponseRequest(TypedDict, total=False):
    """What `session.response(...)` takes: the API's own request fields (OpenAPI description of 2026-08).

    Nothing is checked here but by your editor: the server knows its fields best, and new ones pass through. To send a
    field that is not listed without a complaint of your type checker, use `extra_body={...}`.
    """

    access_programs: JsonObject | None
    background: bool | None
    background_options: JsonObject | None
    context_management: Sequence[JsonObject] | None
    conversation: str | JsonObject | None
    image: JsonObject | None
    include: Sequence[str] | None
    input: str | Sequence[JsonObject]
    instructions: str | None
    max_output_tokens: int | None
    max_tool_calls: int | None
    metadata: Mapping[str, str] | None
    model: str
    moderation: JsonObject | None
    parallel_tool_calls: bool | None
    previous_response_id: str | None
    prompt: JsonObject | None
    prompt_cache_key: str | None
    prompt_cache_options: JsonObject | None
    prompt_cache_retention: Literal["in_memory", "24h"] | None
    reasoning: JsonObject | None
    safety_identifier: str | None
    service_tier: str | None
    store: bool | None
    stream: Literal[True]
    stream_options: JsonObject | None
    temperature: float | None
    text: JsonObject | None
    tool_choice: str | JsonObject | None
    tools: Sequence[JsonObject] | None
    top_logprobs: int | None
    top_p: float | None
    truncation: Literal["auto", "disabled"] | None
    user: str | None
    extra_body: JsonObject
