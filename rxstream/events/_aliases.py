"""The names that the API guide gives to 24 of the events.

Four of them are the class names themselves. The others lack `Event`, or spell the wire type in another way.
"""

from rxstream.events._items import (
    ResponseContentPartAddedEvent,
    ResponseContentPartDoneEvent,
    ResponseOutputItemAddedEvent,
    ResponseOutputItemDoneEvent,
    ResponseOutputTextAnnotationAddedEvent,
)
from rxstream.events._lifecycle import ErrorEvent
from rxstream.events._text import (
    ResponseOutputTextDeltaEvent,
    ResponseOutputTextDoneEvent,
    ResponseRefusalDeltaEvent,
    ResponseRefusalDoneEvent,
)
from rxstream.events._tools import (
    ResponseCodeInterpreterCallCodeDeltaEvent,
    ResponseCodeInterpreterCallCodeDoneEvent,
    ResponseCodeInterpreterCallCompletedEvent,
    ResponseCodeInterpreterCallInProgressEvent,
    ResponseCodeInterpreterCallInterpretingEvent,
    ResponseFileSearchCallCompletedEvent,
    ResponseFileSearchCallInProgressEvent,
    ResponseFileSearchCallSearchingEvent,
    ResponseFunctionCallArgumentsDeltaEvent,
    ResponseFunctionCallArgumentsDoneEvent,
)

__all__ = [
    "Error",
    "ResponseCodeInterpreterCallCodeDelta",
    "ResponseCodeInterpreterCallCodeDone",
    "ResponseCodeInterpreterCallCompleted",
    "ResponseCodeInterpreterCallIntepreting",
    "ResponseCodeInterpreterInProgress",
    "ResponseContentPartAdded",
    "ResponseContentPartDone",
    "ResponseFileSearchCallCompleted",
    "ResponseFileSearchCallInProgress",
    "ResponseFileSearchCallSearching",
    "ResponseFunctionCallArgumentsDelta",
    "ResponseFunctionCallArgumentsDone",
    "ResponseOutputItemAdded",
    "ResponseOutputItemDone",
    "ResponseOutputTextAnnotationAdded",
    "ResponseOutputTextDelta",
    "ResponseRefusalDelta",
    "ResponseRefusalDone",
    "ResponseTextDone",
]

ResponseOutputItemAdded = ResponseOutputItemAddedEvent
ResponseOutputItemDone = ResponseOutputItemDoneEvent
ResponseContentPartAdded = ResponseContentPartAddedEvent
ResponseContentPartDone = ResponseContentPartDoneEvent
ResponseOutputTextDelta = ResponseOutputTextDeltaEvent
ResponseOutputTextAnnotationAdded = ResponseOutputTextAnnotationAddedEvent
ResponseTextDone = ResponseOutputTextDoneEvent
ResponseRefusalDelta = ResponseRefusalDeltaEvent
ResponseRefusalDone = ResponseRefusalDoneEvent
ResponseFunctionCallArgumentsDelta = ResponseFunctionCallArgumentsDeltaEvent
ResponseFunctionCallArgumentsDone = ResponseFunctionCallArgumentsDoneEvent
ResponseFileSearchCallInProgress = ResponseFileSearchCallInProgressEvent
ResponseFileSearchCallSearching = ResponseFileSearchCallSearchingEvent
ResponseFileSearchCallCompleted = ResponseFileSearchCallCompletedEvent
ResponseCodeInterpreterInProgress = ResponseCodeInterpreterCallInProgressEvent
ResponseCodeInterpreterCallCodeDelta = ResponseCodeInterpreterCallCodeDeltaEvent
ResponseCodeInterpreterCallCodeDone = ResponseCodeInterpreterCallCodeDoneEvent
ResponseCodeInterpreterCallIntepreting = ResponseCodeInterpreterCallInterpretingEvent
ResponseCodeInterpreterCallCompleted = ResponseCodeInterpreterCallCompletedEvent
Error = ErrorEvent
