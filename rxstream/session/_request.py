"""The fields of `POST /responses`, for the editor's completion."""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal, TypedDict, cast

from rxstream.session._time_limits import RequestTimeouts, checked_timeouts
from rxstream.tools import ClientTool, text_format
from rxstream.tools._namespace import Namespace
from rxstream.tools._tool_search import definition_of
from rxstream.transport import Request

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
    input: str | Sequence[Any]
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
    tools: Sequence[JsonMapping | ClientTool[..., Any] | Namespace | Callable[..., Any]] | None
    top_logprobs: int | None
    top_p: float | None
    truncation: Literal["auto", "disabled"] | None
    user: str | None
    text_format: type[Any] | None
    extra_body: JsonMapping
    extra_headers: Mapping[str, str] | None
    extra_query: Mapping[str, str | int] | None
    timeout: float | timedelta | RequestTimeouts | None


def request_of(fields: Mapping[str, Any]) -> Request:
    """The request of `session.response(**fields)`.

    `extra_headers`, `extra_query`, `extra_body`, `timeout` and `text_format` are not fields of the API; they mean what
    they mean to the official client. A function, a tool or a `Namespace` in `tools` becomes its definition.

    Raises: TypeError: a field that JSON cannot hold, `stream=False`, a value that is not a time-out, or a function or
        a model whose schema cannot be strict.
    """
    body = dict(fields)
    _add_text_format(body)
    tools = body.get("tools")
    if isinstance(tools, list | tuple):
        body["tools"] = [definition_of(each) for each in cast("Sequence[Any]", tools)]
    extra: Mapping[str, Any] = body.pop("extra_body", None) or {}
    headers: Mapping[str, str] = body.pop("extra_headers", None) or {}
    params: Mapping[str, str | int] = body.pop("extra_query", None) or {}
    timeout, time_limits = _timeout(body.pop("timeout", None))
    body |= extra
    if body.get("stream", True) is not True:
        raise TypeError("stream must be True, because rxstream always streams: leave it out")
    body["stream"] = True
    return Request(
        "POST",
        "/responses",
        json=to_json(body),
        headers=headers,
        params=params,
        timeout=timeout,
        time_limits=time_limits,
    )


def to_json(value: Any, place: str = "the request") -> Any:
    """`value` as what JSON can hold: models of pydantic, of rxstream and of `openai` become what they dump.

    Raises: TypeError: it holds something else; the message says where.
    """
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, Mapping):
        fields = cast("Mapping[Any, Any]", value)
        return {
            str(name): to_json(inner, str(name) if place == "the request" else f"{place}.{name}")
            for name, inner in fields.items()
        }
    if isinstance(value, list | tuple):
        return [to_json(inner, f"{place}[{i}]") for i, inner in enumerate(cast("Sequence[Any]", value))]
    if not isinstance(value, type) and hasattr(value, "model_dump"):
        if hasattr(value, "to_dict"):  # a model of `openai`, which sends no field that was never set
            return to_json(value.to_dict(mode="json"), place)
        return to_json(value.model_dump(mode="json", by_alias=True), place)
    what = f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__
    raise TypeError(f"expected what JSON can hold in {place}, got {what}: make a str, a number, a dict or a list of it")


def _add_text_format(body: dict[str, Any]) -> None:
    """`text_format=Model` is `text={"format": ...}`, beside what `text` holds."""
    model = body.pop("text_format", None)
    if model is None:
        return
    text: Mapping[str, Any] = body.get("text") or {}
    if "format" in text:
        raise TypeError("expected text_format=Model or text={'format': ...}, got both: leave one out")
    body["text"] = {**text, "format": text_format(model)}


def _timeout(timeout: Any) -> tuple[float | None, dict[str, float | None]]:
    """A number, a timedelta, or the `read` of an `httpx.Timeout`; or the two limits of a connection."""
    if isinstance(timeout, Mapping):
        limits = checked_timeouts(cast("Mapping[str, Any]", timeout))
        return None, {name: limits[name] for name in ("connect", "idle") if name in limits}
    seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else getattr(timeout, "read", timeout)
    if seconds is None:
        return None, {}
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < math.inf:
        raise TypeError(
            f"expected a number of seconds above 0, or a dict of limits such as {{'first_text': 20}}, in timeout, "
            f"got {timeout!r}"
        )
    return float(seconds), {}
