"""The option of a session, and the two operators."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from reactivex import Observable, abc

from rxstream.events import Event
from rxstream.rx._checks import require_source
from rxstream.rx._observable import PushObservable
from rxstream.rx._timed import choose_scheduler, clock_of
from rxstream.telemetry.conventions import _names as names
from rxstream.telemetry.conventions._request import operation_attributes, request_attributes, request_content

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

_E = TypeVar("_E", bound=Event)


class Telemetry:
    """OpenTelemetry spans and metrics of responses and runs, by its conventions for generative AI (`gen_ai.*`).

    `Session(telemetry=Telemetry())` traces each response and each run of the session. The operators `traced` and
    `traced_run` do so for streams of any source. It needs `rxstream[otel]`; where the spans go is set up as always,
    with the SDK of OpenTelemetry or what is built on it.

    Spans: `chat MODEL` (client) for each subscription to a response, with all its retries: the request, the id and
    model of the response, usage, finish reasons, the time to the first chunk. In a run it is the span of a turn, and a
    child of `invoke_agent`; so is `execute_tool NAME` of each call of a tool that runs here. Spans that a tool makes
    are children of the tool's. The parent of all is the current span of the subscriber, also where the loop of the
    session is another thread; what is called for the subscriber (`on_next`, operators behind) has that one as its
    current span, too.

    How it ended is `rxstream.outcome`: completed, incomplete, failed, disposed. Only a failed span has the status ERROR
    and an `error.type`, which is the class of the error.

    Metrics: `gen_ai.client.operation.duration` in seconds, `gen_ai.client.token.usage`, and in seconds
    `gen_ai.client.operation.time_to_first_chunk` and `….time_per_output_chunk`. A chunk is an event that adds to a
    text: answer, refusal, reasoning, arguments, code. The first may also be a text or an item that came whole.

    Args:
        tracer_provider, meter_provider: Of OpenTelemetry. None: the global ones.
        content: Also emit what was asked and answered: messages, instructions, tools, arguments and results of calls,
            and the messages of errors, which may quote them. It is JSON in attributes of spans.
        chunk_gaps: False leaves `….time_per_output_chunk` out. It is the only metric with a point for each chunk, which
            costs about 10 µs with the SDK.
        provider: `gen_ai.provider.name`. None: by the base URL; "openai" for all servers that the conventions do not
            know, because it stands for the API that they speak.

    Raises: ModuleNotFoundError: `opentelemetry-api` is not installed.
    """

    def __init__(
        self,
        *,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        content: bool = False,
        chunk_gaps: bool = True,
        provider: str | None = None,
    ) -> None:
        try:
            from rxstream.telemetry._instruments import Instruments
        except ModuleNotFoundError as error:
            if (error.name or "").split(".")[0] != "opentelemetry":
                raise
            raise ModuleNotFoundError(
                "Telemetry needs a package that is not installed: pip install 'rxstream[otel]'", name=error.name
            ) from error
        self._provider = provider
        self._content = content
        self._instruments = Instruments(tracer_provider, meter_provider, content=content, chunk_gaps=chunk_gaps)

    def traced(self, *, base_url: str | None = None, **request: Any) -> Callable[[Observable[_E]], Observable[_E]]:
        """Make a span and metrics of each response, and pass its events.

        A session with `telemetry=` does so for its own. Behind `retry_transient` there is one span for all tries;
        before it, one for each.

        Args:
            base_url: Where the request goes: for `server.address` and the provider.
            request: The fields of the request, as far as they are known; above all `model=`.

        Emits: the events as they are. Completes, errors: as the source.
        The span begins with the subscription, so there is one for each; that of a further response in the same stream
        with the end of the one before. It ends with the terminal event, the error, the end of the source (which
        without a terminal event is a `TruncatedError` in the span), or the disposal.
        Memory: a few numbers.

        Raises: TypeError, in the stream: a value is not an event.
        """
        from rxstream.telemetry._response_span import ResponseSpanPlan, ResponseSpans

        common = operation_attributes("chat", self._provider, base_url, request.get("model"))
        own = request_attributes(request, str(common[names.PROVIDER_NAME]))
        content = request_content(request) if self._content else {}
        plan = ResponseSpanPlan(self._instruments, common, common | own | content)

        def operator(source: Observable[_E]) -> Observable[_E]:
            require_source(source, "traced")

            def subscribe(
                observer: abc.ObserverBase[_E], scheduler: abc.SchedulerBase | None = None
            ) -> abc.DisposableBase:
                clock = clock_of(choose_scheduler(None, scheduler))
                return ResponseSpans(plan, observer, clock).subscribe(source, scheduler)

            return PushObservable(subscribe)

        return operator

    def traced_run(
        self, *, agent: str | None = None, base_url: str | None = None, **request: Any
    ) -> Callable[[Observable[_E]], Observable[_E]]:
        """Make a span of a run, `invoke_agent`, and one of each call of a tool in it; pass its events.

        A session with `telemetry=` does so for `session.run`. Write it behind `run_tools`; the spans of turns are made
        by `traced` before it, in the source and in what `ask` returns.

        Args:
            agent: `gen_ai.agent.name`.
            base_url, request: As of `traced`.

        Emits: the events as they are. Completes, errors: as the source. The span is that of the subscription.
        """
        from rxstream.telemetry._run_span import RunSpan, RunSpanPlan

        common = operation_attributes("invoke_agent", self._provider, base_url, request.get("model"))
        if agent is not None:
            common[names.AGENT_NAME] = agent
        content = request_content(request) if self._content else {}
        plan = RunSpanPlan(self._instruments, f"invoke_agent {agent}" if agent else "invoke_agent", common | content)

        def operator(source: Observable[_E]) -> Observable[_E]:
            require_source(source, "traced_run")

            def subscribe(
                observer: abc.ObserverBase[_E], scheduler: abc.SchedulerBase | None = None
            ) -> abc.DisposableBase:
                return RunSpan(plan, observer).subscribe(source, scheduler)

            return PushObservable(subscribe)

        return operator
