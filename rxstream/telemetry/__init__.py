"""OpenTelemetry: spans and metrics of responses, runs and tools, by its conventions for generative AI."""

from rxstream.telemetry._telemetry import Telemetry

__all__ = ["Telemetry"]
