"""The formats."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rxstream.sse import Frame, encode
from rxstream.web._stream_format import StreamFormat
from rxstream.web.formats._error_text import ErrorText, error_text
from rxstream.web.formats._json import data_frame
from rxstream.web.formats._sse import EventFrames
from rxstream.web.formats._ui_messages import UiMessageChunk, UiMessageChunks

if TYPE_CHECKING:
    from ag_ui.core import BaseEvent


def to_sse(
    *, after: int | None = None, retry: float | None = None, text_of_error: ErrorText = error_text
) -> StreamFormat[Frame]:
    """The API's own events as server-sent events: for `EventSource`, and for clients of the Responses API.

    Emits: a `Frame` for each event: `event` is its type, `data` its JSON with the fields that came, `id` its
    `sequence_number`. One without a number repeats the id of the event before. Events of a run (`rxstream.…`) pass too.
    Before an error, an `error` event, unless the API has sent its own; its `code` is the name of the error's class.
    Completes: with the source. Errors: the source's.
    Memory: a few values.

    What the API sends goes to the browser, also `instructions` and tools in `response.created`, and the conversation in
    `rxstream.run.finished`. Filter what users must not see.

    Args:
        after: events of the first response up to this number are left out: what a browser sends as `Last-Event-ID`.
        retry: after so many seconds a browser whose connection broke connects again; None: the browser decides.
        text_of_error: what is said of an error. Without it, a sentence for its class, and nothing of its text.

    Raises: ValueError: `retry` is negative.
    """
    if retry is not None and not retry >= 0:
        raise ValueError(f"expected 0 seconds or more as retry, or None, got {retry}")
    return StreamFormat("to_sse", lambda: EventFrames(after, retry, text_of_error), encode)


def to_ui_messages(
    *, message_id: str | None = None, text_of_error: ErrorText = error_text
) -> StreamFormat[UiMessageChunk]:
    """The UI message stream of Vercel's AI SDK 7: for `useChat`.

    Emits: chunks as dicts: `start`; for each response `start-step`, its texts (`text-…`, also of refusals;
    `reasoning-…`), calls (`tool-input-…`, `tool-output-…`, `tool-approval-…`), citations (`source-url`,
    `source-document`), images (`file`), `finish-step`; at the end `finish` with its reason. Calls of hosted tools have
    `providerExecuted`, those of MCP servers are `dynamic` and named `mcp.NAME`. A run's reports of progress are
    `preliminary` outputs. Before an error, `error` and `finish`; of a response that was cancelled, `abort`.
    Completes: with the source. Errors: the source's.
    Memory: the text of the items that are not done, and a few values for each call.

    Args:
        message_id: the id of the message. Without one the browser makes it.
        text_of_error: what is said of an error, also of a failed tool, as a `ToolError`. Without it, a sentence for its
            class, and nothing of its text.
    """
    return StreamFormat(
        "to_ui_messages",
        lambda: UiMessageChunks(message_id, text_of_error),
        data_frame,
        headers={"x-vercel-ai-ui-message-stream": "v1"},
        end=b"data: [DONE]\n\n",
    )


def to_ag_ui(thread_id: str, run_id: str, *, text_of_error: ErrorText = error_text) -> StreamFormat[BaseEvent]:
    """AG-UI 1.0 events, as `ag_ui.core` has them. It needs the package `ag-ui-protocol`.

    Emits: `RUN_STARTED`; for each response `STEP_STARTED`, its texts (`TEXT_MESSAGE_…`, `REASONING_…`), calls
    (`TOOL_CALL_…`), `STEP_FINISHED`; at the end `RUN_FINISHED`: its outcome is `success` with the calls that the client
    has to answer, `interrupt` if some wait for approval, or `cancelled`. `CUSTOM` events have what the protocol has no
    event for: `source` (a citation), `file`, `tool_approval_request`, `tool_approval_response`, `tool_progress`.
    Before an error, `RUN_ERROR`; its `code` is the name of the error's class.
    Completes: with the source. Errors: the source's.
    Memory: the text of the items that are not done, and a few values for each call.

    Args:
        thread_id: the thread of the request.
        run_id: the run of the request. The ids of messages begin with it.
        text_of_error: what is said of an error, also of a failed tool, as a `ToolError`. Without it, a sentence for its
            class, and nothing of its text.

    Raises: ImportError: `ag-ui-protocol` is not installed.
    """
    try:
        from rxstream.web.formats._ag_ui import AgUiEvents, encode_event
    except ModuleNotFoundError as error:
        raise ImportError("to_ag_ui needs the package ag-ui-protocol: pip install 'rxstream[ag-ui]'") from error

    return StreamFormat("to_ag_ui", lambda: AgUiEvents(thread_id, run_id, text_of_error), encode_event)
