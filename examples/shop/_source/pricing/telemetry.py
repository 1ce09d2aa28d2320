"""Connects pricing with OpenTelemetry.

Telemetry leaves by OTLP over HTTP when OTEL_EXPORTER_OTLP_ENDPOINT is set. Without it, or
where the SDK is not installed, pricing works the same and records nothing.
"""

from __future__ import annotations

import logging
import os
import time
from contextlib import contextmanager
from typing import Any, Callable, Iterator, Mapping

try:
    from opentelemetry import metrics, propagate, trace
except ImportError:
    trace = None

BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]


class Request:
    """The span of one request, or of none."""

    def __init__(self, span: Any = None) -> None:
        self.span = span
        self.code = 0

    def status(self, code: int) -> None:
        """Note the status of the answer."""
        self.code = int(code)
        if self.span is not None:
            self.span.set_attribute("http.response.status_code", self.code)
            if self.code >= 500:
                self.span.set_status(trace.StatusCode.ERROR)
                self.span.set_attribute("error.type", str(self.code))


@contextmanager
def request(method: str, route: str, headers: Mapping[str, str]) -> Iterator[Request]:
    """The server span and the duration of one request."""
    if trace is None:
        yield Request()
        return
    parent = propagate.extract({key.lower(): value for key, value in headers.items()})
    attributes = {"http.request.method": method, "http.route": route, "url.path": route, "url.scheme": "http"}
    begun = time.monotonic()
    with trace.get_tracer("pricing").start_as_current_span(
        f"{method} {route}", context=parent, kind=trace.SpanKind.SERVER, attributes=attributes
    ) as current:
        answered = Request(current)
        try:
            yield answered
        finally:
            duration().record(
                time.monotonic() - begun,
                {"http.request.method": method, "http.route": route, "http.response.status_code": answered.code},
            )


def duration() -> Any:
    """The histogram of the requests' durations; the SDK hands out the same one each time."""
    return metrics.get_meter("pricing").create_histogram(
        "http.server.request.duration",
        unit="s",
        description="Duration of HTTP server requests.",
        explicit_bucket_boundaries_advisory=BOUNDS,
    )


@contextmanager
def span(name: str, attributes: Mapping[str, Any]) -> Iterator[None]:
    """A span inside a request; an exception that leaves it is recorded."""
    if trace is None:
        yield
        return
    with trace.get_tracer("pricing").start_as_current_span(name, attributes=attributes):
        yield


def setup(service: str) -> Callable[[], None]:
    """Install the SDK. The returned function sends what is still held back."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    if not os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        return lambda: None
    if trace is None:
        logging.getLogger("pricing").warning("the OpenTelemetry SDK is not installed, nothing is recorded")
        return lambda: None

    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    resource = Resource.create({"service.name": service})
    spans = TracerProvider(resource=resource)
    spans.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(spans)
    points = MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())], resource=resource)
    metrics.set_meter_provider(points)
    records = LoggerProvider(resource=resource)
    records.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
    logging.getLogger().addHandler(LoggingHandler(level=logging.INFO, logger_provider=records))

    def shutdown() -> None:
        spans.shutdown()
        points.shutdown()
        records.shutdown()

    return shutdown
