"""`Session.run`: what each turn of a run sends, and what the run is made of.

`rxs.run_tools` runs the tools and asks for the next turn. Here each turn becomes a request.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Mapping, Sequence
from contextvars import copy_context
from typing import Any, Literal, Protocol, TypeAlias, cast

import reactivex
from reactivex import Observable, abc
from reactivex import operators as ops
from reactivex.disposable import CompositeDisposable, Disposable, SingleAssignmentDisposable

from rxstream import operators as rxs
from rxstream.errors import StatusError
from rxstream.events import Event, Response, StreamingEvent
from rxstream.events._fields import TERMINAL
from rxstream.operators._running import RunOptions
from rxstream.rx._context import RUNTIME, Runtime
from rxstream.rx._loops import run_in
from rxstream.rx._observable import PushObservable
from rxstream.session._request import ResponseRequest, to_json
from rxstream.tools._context_rules import (
    ContextFunction,
    ContextRule,
    as_context_rules,
    checked_context,
    size_of,
)
from rxstream.tools._events import RunResumedEvent, RunStreamEvent
from rxstream.typing import Operator

_log = logging.getLogger("rxstream")

ContinueBy: TypeAlias = Literal["input", "previous_response_id"]
RunContext: TypeAlias = ContextRule | ContextFunction | Sequence[ContextRule | ContextFunction]

_ENCRYPTED = "reasoning.encrypted_content"
_TO_READ_AGAIN = ("extra_headers", "extra_query", "timeout")
_OF_THE_RUN = ("input", "tools", "conversation", "previous_response_id", "include", "store")


class RunRequest(ResponseRequest, RunOptions, total=False):
    """What `session.run(...)` takes beside its own options: request fields, and the options of `rxs.run_tools`."""


class MakeTurn(Protocol):
    """`session.response`."""

    def __call__(self, *, resume: bool, cancel_remote: bool, **request: Any) -> Observable[StreamingEvent]: ...


class RunPlan:
    """What is the same in every subscription to a run."""

    def __init__(
        self,
        make_turn: MakeTurn,
        read_again: Callable[..., Observable[StreamingEvent]],
        open_loop: Callable[[], Runtime],
        fields: Mapping[str, Any],
        *,
        through: Sequence[Operator[StreamingEvent, StreamingEvent]],
        continue_by: ContinueBy,
        context: RunContext | None,
        resume: bool,
        cancel_remote: bool,
    ) -> None:
        self._make_turn = make_turn
        self._read_again = read_again
        """`session.resume`."""
        self._open_loop = open_loop
        options = {name: fields[name] for name in RunOptions.__annotations__ if name in fields}
        self._request = {name: value for name, value in fields.items() if name not in RunOptions.__annotations__}
        self._resume, self._cancel_remote = resume, cancel_remote
        self._through = _operators(through)
        self.rules = as_context_rules(context)
        self._check_fields(continue_by)
        self.by_response_id = continue_by == "previous_response_id"
        server_keeps = self.by_response_id or self._request.get("conversation") is not None
        if server_keeps and self.rules:
            raise ValueError(
                'context shortens what is sent, and with continue_by="previous_response_id" or conversation the '
                "server has the old items: leave context out, or use the field context_management of the API"
            )
        self.items: list[Any] = self._first_items()
        self._keep_reasoning(server_keeps)
        self._options: dict[str, Any] = {**options, "input": self.items, "new_items_only": server_keeps}
        tools: Any = self._request.get("tools")
        self._tools = cast("Sequence[Any]", () if tools is None else tools)
        self.turn(self.items)
        self._operator(_Turns(self))  # both raise here for what is wrong

    def _check_fields(self, continue_by: Any) -> None:
        if continue_by not in ("input", "previous_response_id"):
            raise ValueError(f'continue_by expects "input" or "previous_response_id", got {continue_by!r}')
        extra: Any = self._request.get("extra_body")
        own = [name for name in _OF_THE_RUN if isinstance(extra, Mapping) and name in extra]
        if own:
            raise ValueError(f"expected {own[0]} as {own[0]}=..., because a run needs it, got it in extra_body")
        if continue_by == "input":
            return
        if self._request.get("conversation") is not None:
            raise ValueError("expected conversation or continue_by, got both: a conversation goes on by itself")
        if self._request.get("store") is False:
            raise ValueError(
                'expected store=True with continue_by="previous_response_id", got False: the server goes on from a '
                "response that it has stored"
            )

    def _first_items(self) -> list[Any]:
        given: Any = self._request.pop("input", ())
        if isinstance(given, str):
            return [{"role": "user", "content": given}]
        if not isinstance(given, list | tuple):
            raise TypeError(f"input expects a text or a list of items, got {type(given).__name__}")
        return cast("list[Any]", to_json([*cast("Sequence[Any]", given)], "input"))

    def _keep_reasoning(self, server_keeps: bool) -> None:
        """A turn sends the whole of what the server does not store, or the next turn would refer to nothing."""
        include: Any = self._request.get("include")
        if server_keeps or self._request.get("store") is not False or include == []:
            return
        if include is None or _ENCRYPTED not in include:
            self._request["include"] = [*(include or ()), _ENCRYPTED]

    def _operator(self, turns: _Turns) -> Operator[Event, RunStreamEvent]:
        reopen = turns.reopen if self._request.get("background") else None
        return rxs.run_tools(self._tools, turns.ask, reopen=reopen, **self._options)

    def turn(
        self,
        items: Sequence[Any],
        response_id: str | None = None,
        note: Callable[[StreamingEvent], None] | None = None,
    ) -> Observable[StreamingEvent]:
        """The events of one turn, as the tools see them. `note` is called with each before that."""
        request = {**self._request}
        if items:
            request["input"] = items
        if response_id is not None:
            request["previous_response_id"] = response_id
        return self._through_all(
            self._make_turn(resume=self._resume, cancel_remote=self._cancel_remote, **request), note
        )

    def turn_again(
        self, response_id: str, note: Callable[[StreamingEvent], None] | None = None
    ) -> Observable[StreamingEvent]:
        """The same, of a background response that has begun: all of its events."""
        request = {name: self._request[name] for name in _TO_READ_AGAIN if name in self._request}
        return self._through_all(self._read_again(response_id, cancel_remote=self._cancel_remote, **request), note)

    def _through_all(
        self, turn: Observable[StreamingEvent], note: Callable[[StreamingEvent], None] | None
    ) -> Observable[StreamingEvent]:
        noted = () if note is None else (ops.do_action(note),)
        return turn.pipe(*noted, *self._through)

    def observable(self) -> Observable[RunStreamEvent]:
        running = 0
        warned = False

        def leave() -> None:
            nonlocal running
            running -= 1

        def subscribe(
            observer: abc.ObserverBase[RunStreamEvent], scheduler: abc.SchedulerBase | None = None
        ) -> abc.DisposableBase:
            nonlocal running, warned
            runtime = self._open_loop()
            if running and not warned:
                warned = True
                _log.warning(
                    "a second subscription to the same run asks the model and runs the tools a second time; "
                    "to share one among subscribers, pipe it through rxs.shared()"
                )
            disposable = SingleAssignmentDisposable()

            def begin() -> None:
                RUNTIME.set(runtime)  # tools run in this session, on whichever thread it is subscribed to
                turns = _Turns(self)
                run = turns.ask(self.items).pipe(self._operator(turns))
                if self.by_response_id and self._options.get("ledger") is not None:
                    run = run.pipe(ops.do_action(turns.note_resumed))
                disposable.disposable = run.subscribe(observer, scheduler=scheduler)

            run_in(copy_context(), begin)
            running += 1
            return CompositeDisposable(disposable, Disposable(leave))

        return PushObservable(subscribe)


class _Turns:
    """The turns of one subscription."""

    def __init__(self, plan: RunPlan) -> None:
        self._plan = plan
        self._last: Response | None = None
        """The response of the last turn."""
        self._resumed_id: str | None = None
        """The id of the last response of an earlier process, as the ledger has it."""
        self._sent_bytes = 0
        """Of its input."""

    def ask(self, items: list[Any]) -> Observable[StreamingEvent]:
        """The next turn."""
        rules = self._plan.rules
        if all(isinstance(rule, ContextRule) for rule in rules):
            for rule in rules:
                items = cast("ContextRule", rule).apply(items, self._tokens_per_byte())
            return self._send(items)
        return reactivex.just(items).pipe(rxs.map_async(self._shorten), ops.flat_map(self._send))

    async def _shorten(self, items: list[Any]) -> list[Any]:
        for rule in self._plan.rules:
            if isinstance(rule, ContextRule):
                items = rule.apply(items, self._tokens_per_byte())
                continue
            # a copy: the function may change what it gets, and the run keeps the conversation as it came
            answer: Any = rule(cast("list[Any]", to_json(items, "input")))
            if inspect.isawaitable(answer):
                answer = await answer
            if isinstance(answer, list | tuple):
                answer = to_json(answer, "context")
            items = checked_context(items, answer, getattr(rule, "__name__", type(rule).__name__))
        return items

    def _send(self, items: list[Any]) -> Observable[StreamingEvent]:
        response_id = None
        if self._plan.by_response_id:
            response_id = self._last.id or None if self._last is not None else self._resumed_id
        if self._last is not None and self._plan.by_response_id and response_id is None:
            raise ValueError(
                'continue_by="previous_response_id" expects responses with an id, got one without: use '
                'continue_by="input" with this server'
            )
        if self._plan.rules:
            self._sent_bytes = size_of(items)
        return self._plan.turn(items, response_id, self._noted())

    def reopen(self, response_id: str, items: list[Any]) -> Observable[StreamingEvent]:
        """A turn whose background response has begun. It is asked for again where the server has no such response."""

        def ask_again(error: Exception, _: Observable[StreamingEvent]) -> Observable[StreamingEvent]:
            if isinstance(error, StatusError) and error.status == 404:
                return self.ask(items)
            return reactivex.throw(error)

        return self._plan.turn_again(response_id, self._noted()).pipe(ops.catch(ask_again))

    def _noted(self) -> Callable[[StreamingEvent], None] | None:
        return self._note if self._plan.rules or self._plan.by_response_id else None

    def note_resumed(self, event: Event) -> None:
        if isinstance(event, RunResumedEvent):
            self._resumed_id = event.response_id

    def _note(self, event: StreamingEvent) -> None:
        if isinstance(event, TERMINAL):
            self._last = event.response

    def _tokens_per_byte(self) -> float | None:
        usage = self._last.usage if self._last is not None else None
        return usage.input_tokens / self._sent_bytes if usage is not None and self._sent_bytes else None


def _operators(through: Any) -> list[Operator[StreamingEvent, StreamingEvent]]:
    if not isinstance(through, list | tuple):
        raise TypeError(f"through expects a tuple of operators, got {through!r}: write through=(operator,)")
    for operator in cast("Sequence[Any]", through):
        if not callable(operator):
            raise TypeError(f"through expects operators, got {operator!r}")
    return [*cast("Sequence[Operator[StreamingEvent, StreamingEvent]]", through)]
