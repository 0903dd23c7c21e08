"""Print a stream on the terminal."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentTypeError
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import reactivex
from pydantic import TypeAdapter
from reactivex import Observable
from reactivex import operators as ops

from rxstream import operators as rxs
from rxstream.cli._markdown import MarkdownBlocks
from rxstream.cli._stages import LiveStages
from rxstream.cli._stopwatch import Stopwatch
from rxstream.cli._terminal import (
    StdoutError,
    ask_on_terminal,
    draws_markdown,
    print_dim,
    print_markdown,
    share_one_screen,
    visible_json,
)
from rxstream.errors._redaction import one_line
from rxstream.events import (
    Event,
    MessageItem,
    OutputItem,
    ReasoningItem,
    ResponseIncompleteEvent,
    ResponseOutputItemAddedEvent,
    ResponseOutputItemDoneEvent,
    StreamingEvent,
)
from rxstream.response.calls._tool_call_kinds import class_of
from rxstream.response.calls._tool_names import full_name
from rxstream.results import CustomToolCall, FunctionCall, TextAnnotation, ToolCall
from rxstream.sinks import iterate
from rxstream.timeline._notes import call_line, is_run_event, item_line, run_line, source_line
from rxstream.tools import Denial

if TYPE_CHECKING:
    from rxstream.cli._tools import Approvals, ToolQuestion

_ANY: TypeAdapter[Any] = TypeAdapter(Any)


def show(
    events: Observable[Any],
    *,
    as_json: bool,
    whole: bool = False,
    to_the_end: bool = False,
    approvals: Approvals | None = None,
    markdown: bool = False,
    times: bool = False,
    with_stages: bool = False,
) -> int:
    """Print a stream as it arrives: the answer on stdout, what happened beside it on stderr; or each event as JSON.

    Stdout gets the text, refusals, and the calls that a program has to answer, a line each: nothing else, so that a
    program can read it. Stderr gets the reasoning, a line for each call of a hosted tool and other item, and for each
    source. Where both are one terminal, each begins on a line of its own.

    With `whole` the answer is printed when it is whole, as indented JSON. `approvals` are those of a run: what they ask
    is asked here, between two lines; calls are answered by the run and so are not output.

    With `markdown` the text of messages is drawn on a terminal, each block when it is whole; elsewhere it passes as it
    came. With `times` each line on stderr begins with the seconds since the request, and a last one has the counts.

    With `to_the_end` the stream is read to its end even if stdout fails, because it is also written to a tape.

    With `with_stages` stderr also shows what the stages have counted.

    Returns 0, also if the answer was cut short; then stderr has a line with the reason. Raises: StdoutError,
    OutputError: with `whole`, the answer is not JSON. ArgumentTypeError: with `markdown`, `rich` is not installed.
    """
    watch = Stopwatch() if times else None
    output = _Output(to_the_end, is_run=approvals is not None, draws=markdown and _draws_markdown(), watch=watch)
    if watch is not None:
        events = events.pipe(watch.events())

    def made(source: Observable[Any]) -> Observable[_Action]:
        if as_json:
            return source.pipe(ops.map(lambda event: (_Output.json, event)))
        return source.pipe(ops.publish(partial(_actions, whole=whole)))

    probed = (rxs.probe("server"), rxs.probe("output", made))
    actions = events.pipe(*probed) if with_stages else made(events)
    if approvals is not None:
        questions = approvals.questions
        actions = reactivex.merge(
            questions.pipe(ops.map(lambda question: (_Output.ask, question))),
            actions.pipe(ops.do_action(on_completed=questions.on_completed)),
        )
    with LiveStages() if with_stages else nullcontext():
        try:
            for action, value in iterate(actions):
                action(output, value)
        finally:
            output.end()
    return 0


def _draws_markdown() -> bool:
    try:
        return draws_markdown()
    except ImportError:
        raise ArgumentTypeError("--markdown needs rich: pip install 'rxstream[cli]'") from None


_Action: TypeAlias = tuple[Callable[..., None], Any]
"""A method of `_Output`, and its argument."""


def _actions(events: Observable[Any], whole: bool) -> Observable[_Action]:
    def each(source: Observable[Any], method: Callable[..., None]) -> Observable[_Action]:
        return source.pipe(ops.map(lambda value: (method, value)))

    # of one event, each gets its turn in this order
    return reactivex.merge(
        each(events.pipe(rxs.of_type(ResponseOutputItemAddedEvent)), _Output.item_added),
        each(events.pipe(rxs.reasoning_summary()), _Output.reasoning),
        each(events.pipe(rxs.reasoning_text()), _Output.reasoning),
        each(events.pipe(rxs.parse_output(_ANY, partial=False)), _Output.value)
        if whole
        else each(events.pipe(rxs.text_only()), _Output.text),
        each(events.pipe(rxs.refusals()), _Output.refusal),
        each(events.pipe(rxs.accumulate_function_args()), _Output.function_call),
        each(events.pipe(rxs.tool_calls(), ops.filter(_has_ended)), _Output.tool_call),
        each(events.pipe(rxs.annotations()), _Output.source),
        each(events.pipe(rxs.of_type(ResponseOutputItemDoneEvent)), _Output.item_done),
        each(events.pipe(rxs.of_type(ResponseIncompleteEvent)), _Output.cut_short),
        each(events.pipe(ops.filter(is_run_event)), _Output.run_event),
    )


def _has_ended(call: ToolCall) -> bool:
    return call.done or call.status == "incomplete"


class _Output:
    """Stdout and stderr. Ends a line before something else begins."""

    def __init__(self, to_the_end: bool, is_run: bool, draws: bool, watch: Stopwatch | None) -> None:
        self._to_the_end = to_the_end
        self._is_run = is_run
        self._blocks = MarkdownBlocks() if draws else None
        self._watch = watch
        self._failure: StdoutError | None = None
        self._one_screen = share_one_screen()
        self._in_text = False
        """Whether the last line of stdout has text and no end yet."""
        self._in_reasoning = False
        """Whether the last line on stderr is reasoning, which may go on."""
        self._reasoning: list[str] = []
        """The pieces of the reasoning item that is being written."""
        self._refused = False
        self._sources: dict[str, None] = {}
        """The lines of the message's sources, each once."""

    # ------------------------------------------------------------------ what happens

    def json(self, event: StreamingEvent) -> None:
        self._print(visible_json(event.model_dump_json()), end="\n")

    def text(self, text: str) -> None:
        self._end_reasoning()
        if self._watch is not None:
            self._watch.note_text(text)
        if self._blocks is None:
            self._print(text)
            self._in_text = not text.endswith("\n")
        else:
            self._draw(self._blocks.feed(text))
            self._in_text = True

    def refusal(self, text: str) -> None:
        if not self._refused:
            self._refused = True
            self._note("[refusal]")
        self.text(text)

    def value(self, value: Any) -> None:
        self._end_reasoning()
        self._print(json.dumps(value, indent=2, ensure_ascii=False), end="\n")

    def function_call(self, call: FunctionCall) -> None:
        if not self._is_run:
            self._line(f"{full_name(call.name, call.namespace)}({call.arguments})")

    def tool_call(self, call: ToolCall) -> None:
        if isinstance(call, CustomToolCall):
            if call.done and not self._is_run:
                self._line(f"{full_name(call.name, call.namespace)}({call.input})")
        elif not isinstance(call, FunctionCall):
            self._note(call_line(call))

    def reasoning(self, text: str) -> None:
        if text == "".join(self._reasoning):  # some servers send it all again, as the summary
            return
        self._reasoning.append(text)
        if not self._in_reasoning:
            text = text.lstrip()
            if not text:
                return
            if self._one_screen:
                self._end_text()
            text = f"{self._time()}[reasoning] {text}"
            self._in_reasoning = True
        print_dim(text, end="")

    def source(self, annotation: TextAnnotation) -> None:
        self._sources[source_line(annotation.annotation)] = None

    def item_added(self, event: ResponseOutputItemAddedEvent) -> None:
        if isinstance(event.item, MessageItem):
            self._end_text()

    def item_done(self, event: ResponseOutputItemDoneEvent) -> None:
        item: OutputItem = event.item
        if isinstance(item, MessageItem):
            self._end_sources()
        elif isinstance(item, ReasoningItem):
            self._reasoning.clear()
            self._end_reasoning()
        elif class_of(item) is None:
            self._note(item_line(item))

    def run_event(self, event: Event) -> None:
        line = run_line(event)
        # a live run asks in place of the line
        if line and not (self._is_run and event.type == "rxstream.tool.approval"):
            self._note(line)

    def ask(self, question: ToolQuestion) -> None:
        self._end_reasoning()
        self._end_text()
        answer = ask_on_terminal(f"rxstream: run {question.text}? [y/N] ")
        if answer is None:
            print_line(
                f"{question.name}() was refused: there is no terminal to ask on; --yes runs it without a question"
            )
            question.answer.set_result(Denial("there was no terminal to ask on"))
        else:
            yes = answer.strip().lower() in ("y", "yes")
            question.answer.set_result(True if yes else Denial("the user said no"))

    def cut_short(self, event: ResponseIncompleteEvent) -> None:
        details = event.response.incomplete_details
        reason = one_line((details.reason if details is not None else None) or "without a reason", 200)
        self._end_reasoning()
        self._end_text()
        print(f"rxstream: the answer was cut short ({reason})", file=sys.stderr)

    def end(self) -> None:
        """The stream has ended. Raises: StdoutError: stdout failed before."""
        self._end_reasoning()
        self._end_text()
        self._end_sources()
        if self._watch is not None:
            print_dim(f"{self._time()}{self._watch.summary()}")
        if self._failure is not None:
            raise self._failure

    # ------------------------------------------------------------------ lines

    def _print(self, text: str, *, end: str = "") -> None:
        self._try(partial(print, text, end=end, flush=True))

    def _try(self, write: Callable[[], object]) -> None:
        if self._failure is not None:
            return
        try:
            write()
        except StdoutError as error:
            self._failure = error
            if not self._to_the_end:
                raise

    def _line(self, text: str) -> None:
        self._end_reasoning()
        self._end_text()
        self._print(text, end="\n")

    def _note(self, text: str) -> None:
        self._end_reasoning()
        if self._one_screen:
            self._end_text()
        print_dim(f"{self._time()}{text}")

    def _time(self) -> str:
        return "" if self._watch is None else self._watch.elapsed()

    def _draw(self, blocks: Iterable[str]) -> None:
        for block in blocks:
            self._try(partial(print_markdown, block))

    def _end_text(self) -> None:
        if self._in_text:
            self._in_text = False
            if self._blocks is None:
                self._print("\n")
            else:
                self._draw(self._blocks.finish())

    def _end_reasoning(self) -> None:
        if self._in_reasoning:
            self._in_reasoning = False
            print(file=sys.stderr, flush=True)

    def _end_sources(self) -> None:
        sources, self._sources = self._sources, {}
        for line in sources:
            self._note(line)


def print_error(error: Exception) -> None:
    """Print the error as one line on stderr."""
    text = str(error)
    if isinstance(error, OSError) and error.filename is not None and error.strerror is not None:
        text = f"{error.filename}: {error.strerror}"
    print_line(text if text.strip() else type(error).__name__)


def print_line(text: str) -> None:
    """Print a text as one line on stderr."""
    print(f"rxstream: {' '.join(text.split())}", file=sys.stderr)
