"""The HTTP interface of pricing."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from . import rules, telemetry

MAX_BODY = 1 << 20

log = logging.getLogger("pricing")


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    protocol_version = "HTTP/1.1"
    server_version = "pricing"
    sys_version = ""
    # An answer leaves in one piece; without this the kernel waits to make it a larger one.
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_GET(self) -> None:
        if self.path != "/healthz":
            self.refuse(HTTPStatus.NOT_FOUND, "unknown_page", "there is no such page")
            return
        self.send_response(HTTPStatus.NO_CONTENT)
        self.end_headers()

    def do_POST(self) -> None:
        if self.path != "/quotes":
            self.refuse(HTTPStatus.NOT_FOUND, "unknown_page", "there is no such page")
            return
        with telemetry.request("POST", "/quotes", self.headers) as request:
            status, body = self.quote()
            request.status(status)
            self.answer(status, body)

    def quote(self) -> tuple[HTTPStatus, dict[str, Any]]:
        try:
            length = min(int(self.headers.get("Content-Length", 0)), MAX_BODY)
            customer, lines = rules.parse(json.loads(self.rfile.read(length)))
        except (ValueError, rules.InvalidQuestion) as err:
            return HTTPStatus.BAD_REQUEST, fault("invalid_question", str(err))
        try:
            with telemetry.span("pricing.quote", {"pricing.lines": len(lines)}):
                quote = rules.quote(customer, lines)
        except Exception:
            log.exception("quote failed")
            return HTTPStatus.INTERNAL_SERVER_ERROR, fault("quote_failed", "the price is not known")
        return HTTPStatus.OK, asdict(quote)

    def refuse(self, status: HTTPStatus, code: str, message: str) -> None:
        self.close_connection = True  # the body was not read
        self.answer(status, fault(code, message))

    def answer(self, status: HTTPStatus, body: dict[str, Any]) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are in the traces; a second list of them helps nobody."""


def fault(code: str, message: str) -> dict[str, Any]:
    return {"code": code, "message": message}


class Server(ThreadingHTTPServer):
    """Serves until it is shut down."""

    daemon_threads = True
    request_queue_size = 128
