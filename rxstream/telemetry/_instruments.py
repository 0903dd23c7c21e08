"""What records: the tracer and the histograms of one `Telemetry`."""

from __future__ import annotations

from collections.abc import Callable

from opentelemetry import metrics, trace
from opentelemetry.metrics import Histogram, MeterProvider
from opentelemetry.trace import TracerProvider

from rxstream._version import __version__
from rxstream.telemetry.conventions import _names as names
from rxstream.telemetry.conventions._request import Attributes


class Instruments:
    """The tracer and the histograms. Before the SDK is set up those of the API wait for it, and cost little."""

    def __init__(
        self,
        tracer_provider: TracerProvider | None,
        meter_provider: MeterProvider | None,
        *,
        content: bool,
        chunk_gaps: bool,
    ) -> None:
        self.content = content
        self.tracer = trace.get_tracer("rxstream", __version__, tracer_provider, names.SCHEMA_URL)
        meter = metrics.get_meter("rxstream", __version__, meter_provider, names.SCHEMA_URL)

        def seconds(name: str, description: str) -> Histogram:
            return meter.create_histogram(name, "s", description, explicit_bucket_boundaries_advisory=names.SECONDS)

        self.durations = seconds(names.OPERATION_DURATION, "GenAI operation duration.")
        self.first_chunks = seconds(names.TIME_TO_FIRST_CHUNK, "Time from the request to the first chunk.")
        self.record_gap: Callable[[float, Attributes], object] = _ignore
        if chunk_gaps:
            self.record_gap = seconds(names.TIME_PER_OUTPUT_CHUNK, "Time from one output chunk to the next.").record
        self.token_usage = meter.create_histogram(
            names.TOKEN_USAGE,
            "{token}",
            "Number of input and output tokens used.",
            explicit_bucket_boundaries_advisory=names.TOKENS,
        )


def _ignore(seconds: float, attributes: Attributes) -> None:
    """In place of a histogram that is not wanted."""
