"""An HTTP server that remembers what it was sent, and answers as it is told."""

from __future__ import annotations

import ssl
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@dataclass
class Received:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """Its URL, what it was sent, and the answers that it gives, the last one again and again."""

    url: str
    answers: list[int] = field(default_factory=lambda: [204])
    received: list[Received] = field(default_factory=list)
    #: It answers this many at once, and the others once ``go_on`` is set.
    quick: int = 1_000_000
    go_on: threading.Event = field(default_factory=threading.Event)

    def count(self) -> Counter[str]:
        """How often each message came, by its id."""
        return Counter(request.headers["webhook-id"] for request in self.received)


class QuietServer(ThreadingHTTPServer):
    """Whoever does not trust it goes away in the middle of a handshake."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing."""


@contextmanager
def run_receiver(certificate: Path | None = None) -> Iterator[Receiver]:
    """A server on a free port, for as long as the block lasts; with TLS where a certificate with its key is given."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.received.append(Received(self.path, headers, body))
            if len(receiver.received) > receiver.quick:
                receiver.go_on.wait(60)
            status = receiver.answers[0] if len(receiver.answers) == 1 else receiver.answers.pop(0)
            # Whoever has asked may have been killed meanwhile.
            with suppress(ConnectionError):
                self.send_response(status)
                self.send_header("Location", "/elsewhere")
                self.end_headers()

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    server = QuietServer(("127.0.0.1", 0), Handler)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, certificate.with_name("key.pem"))
        server.socket = context.wrap_socket(server.socket, server_side=True)
    host = "https://localhost" if certificate else "http://127.0.0.1"
    receiver = Receiver(f"{host}:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.go_on.set()
        server.shutdown()
        server.server_close()
        thread.join()
