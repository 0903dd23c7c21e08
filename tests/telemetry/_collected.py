"""What a program with telemetry emits, kept in memory by the SDK's own exporters."""

from __future__ import annotations

import json
from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from rxstream.telemetry import Telemetry


class Collected:
    """Providers with exporters in memory, and what they got."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self._reader = InMemoryMetricReader()
        self.tracer_provider = TracerProvider()
        self.tracer_provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.meter_provider = MeterProvider([self._reader])
        self.tracer = self.tracer_provider.get_tracer("test")

    def telemetry(self, **options: Any) -> Telemetry:
        return Telemetry(tracer_provider=self.tracer_provider, meter_provider=self.meter_provider, **options)

    @property
    def spans(self) -> list[ReadableSpan]:
        """In the order in which they began."""
        return sorted(self._exporter.get_finished_spans(), key=lambda span: span.start_time or 0)

    @property
    def names(self) -> list[str]:
        return [span.name for span in self.spans]

    def span(self, name: str = "chat m") -> ReadableSpan:
        (found,) = (span for span in self.spans if span.name == name)
        return found

    def attributes(self, name: str = "chat m") -> dict[str, Any]:
        return dict(self.span(name).attributes or {})

    def parent_of(self, name: str) -> str | None:
        """The name of the parent of the one span of that name."""
        parent = self.span(name).parent
        if parent is None:
            return None
        return next(span.name for span in self.spans if span.context.span_id == parent.span_id)

    def points(self, metric: str) -> list[Any]:
        data = self._reader.get_metrics_data()
        return [
            point
            for resource in (data.resource_metrics if data is not None else ())
            for scope in resource.scope_metrics
            for each in scope.metrics
            if each.name == metric
            for point in each.data.data_points
        ]

    def metric_names(self) -> set[str]:
        data = self._reader.get_metrics_data()
        scopes = [scope for resource in (data.resource_metrics if data else ()) for scope in resource.scope_metrics]
        return {metric.name for scope in scopes for metric in scope.metrics}


def parsed(attributes: dict[str, Any], name: str) -> Any:
    return json.loads(attributes[name])
