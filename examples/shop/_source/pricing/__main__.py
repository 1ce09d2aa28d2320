"""Runs pricing until it is told to stop."""

from __future__ import annotations

import logging
import os
import signal
import threading

from . import telemetry
from .server import Handler, Server


def main() -> None:
    flush = telemetry.setup("pricing")
    host, _, port = os.environ.get("ADDR", ":8084").rpartition(":")
    server = Server((host, int(port)), Handler)
    # serve_forever cannot be shut down from its own thread, in which signals arrive.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
    logging.getLogger("pricing").info("service started")
    server.serve_forever(poll_interval=0.05)
    server.server_close()
    flush()


if __name__ == "__main__":
    main()
