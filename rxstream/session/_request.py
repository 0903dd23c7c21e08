"""The fields of `POST /responses`, for the editor's completion."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict

JsonMapping = Mapping[str, Any]


class ResponseRequest(TypedDict, total=False):
    """What `session.response(...)` takes: the API's own request fields (OpenAPI description of 2026-08).

    Only your type checker checks them: the server knows its fields best, and new ones are sent as they are. To send a
    field that is not listed here, use `extra_body={...}`, which your type checker accepts.
    """

    access_programs: JsonMapping | None
    background: bool | None
    background_options: JsonMapping | None
    context_management: Sequence[JsonMapping] | None
    conversation: str | JsonMapping | None
    image: JsonMapping | None
    include: Sequence[str] | None
    input: str | Sequence[JsonMapping]
    instructions: str | None
    max_output_tokens: int | None
    max_tool_calls: int | None
    metadata: Mapping[str, str] | None
    model: str
    moderation: JsonMapping | None
    parallel_tool_calls: bool | None
    previous_response_id: str | None
    prompt: JsonMapping | None
    prompt_cache_key: str | None
    prompt_cache_options: JsonMapping | None
    prompt_cache_retention: Literal["in_memory", "24h"] | None
    reasoning: JsonMapping | None
    safety_identifier: str | None
    service_tier: str | None
    store: bool | None
    stream: Literal[True]
    stream_options: JsonMapping | None
    temperature: float | None
    text: JsonMapping | None
    tool_choice: str | JsonMapping | None
    tools: Sequence[JsonMapping] | None
    top_logprobs: int | None
    top_p: float | None
    truncation: Literal["auto", "disabled"] | None
    user: str | None
    extra_body: JsonMapping
