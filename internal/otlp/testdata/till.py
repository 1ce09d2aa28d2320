"""Sells things and says so by OpenTelemetry: a trace of two spans, a log record in it and a sum per sale.

Usage: till.py http|grpc ENDPOINT TOKEN SALES
"""

import logging
import sys

from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

how, endpoint, token, sales = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
headers = {"authorization": "Bearer " + token}
if how == "grpc":
    from grpc import Compression
    from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    options = {"endpoint": endpoint, "headers": headers, "insecure": True, "compression": Compression.Gzip}
    spans, records, points = OTLPSpanExporter(**options), OTLPLogExporter(**options), OTLPMetricExporter(**options)
else:
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    options = {"headers": headers, "compression": Compression.Gzip}
    base = "http://" + endpoint + "/v1/"
    spans = OTLPSpanExporter(endpoint=base + "traces", **options)
    records = OTLPLogExporter(endpoint=base + "logs", **options)
    points = OTLPMetricExporter(endpoint=base + "metrics", **options)

resource = Resource({"service.name": "till"})
tracing = TracerProvider(resource=resource)
tracing.add_span_processor(BatchSpanProcessor(spans))
logs = LoggerProvider(resource=resource)
logs.add_log_record_processor(BatchLogRecordProcessor(records))
metering = MeterProvider(resource=resource, metric_readers=[PeriodicExportingMetricReader(points)])
log = logging.getLogger("till")
log.setLevel(logging.INFO)
log.propagate = False
log.addHandler(LoggingHandler(logger_provider=logs))
counter = metering.get_meter("till").create_counter("till.sales")
tracer = tracing.get_tracer("till")
for _ in range(sales):
    with tracer.start_as_current_span("sell"):
        with tracer.start_as_current_span("charge"):
            log.info("sold")
        counter.add(1)
tracing.shutdown()
logs.shutdown()
metering.shutdown()
