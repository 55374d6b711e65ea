"""Thousands of WebSocket clients in one process that cost next to nothing: raw sockets in one epoll.

A program for ``fanout.py``: reads one line of JSON (``port, path, headers, hello, frames, stalled, count``), connects,
and says ``ready`` once every socket has had ``frames`` frames; then for each line answers with the monotonic time
at which the last socket had one more frame.
"""

from __future__ import annotations

import json
import os
import selectors
import socket
import sys
import time
from typing import Any

# Of a stalled client, so that its buffers are soon full.
TINY_BUFFER = 4096


def connect(plan: dict[str, Any], *, stalled: bool) -> socket.socket:
    """A socket after the opening handshake."""
    connection = socket.socket()
    if stalled:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, TINY_BUFFER)
    connection.connect(("127.0.0.1", plan["port"]))
    lines = [
        f"GET {'/stalled' if stalled and plan['path'] == '/' else plan['path']} HTTP/1.1",
        f"Host: 127.0.0.1:{plan['port']}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        "Sec-WebSocket-Version: 13",
        *plan["headers"],
    ]
    connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += connection.recv(1)
    if not answer.startswith(b"HTTP/1.1 101"):
        raise ConnectionError(answer.decode())
    return connection


def send_text(connection: socket.socket, text: str) -> None:
    """One text frame, masked with zeros."""
    payload = text.encode()
    size = bytes([0x80 | len(payload)]) if len(payload) < 126 else b"\xfe" + len(payload).to_bytes(2, "big")
    connection.sendall(b"\x81" + size + b"\0\0\0\0" + payload)


def frame_size(data: bytes) -> int:
    """The length of the frame that begins ``data``, header included; 2 while that cannot be told."""
    if len(data) < 4 or data[1] < 126:
        return 2 + data[1] if len(data) > 1 and data[1] < 126 else 4
    if data[1] == 126:
        return 4 + int.from_bytes(data[2:4], "big")
    return 10 + int.from_bytes(data[2:10], "big")


class Crowd:
    """All healthy sockets, and what each has not finished reading."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self.selector = selectors.DefaultSelector()
        self.rest: dict[int, bytes] = {}
        self.stalled = [self._open(plan, stalled=True) for _ in range(plan["stalled"])]
        for _ in range(plan["count"]):
            connection = self._open(plan, stalled=False)
            self.selector.register(connection, selectors.EVENT_READ)
        if plan["frames"]:
            self.wait_for(plan["frames"])

    def _open(self, plan: dict[str, Any], *, stalled: bool) -> socket.socket:
        connection = connect(plan, stalled=stalled)
        hello = plan["hello_stalled"] if stalled else plan["hello"]
        if hello:
            send_text(connection, hello)
        connection.setblocking(False)
        return connection

    def wait_for(self, frames: int) -> float:
        """Monotonic time at which every socket had so many more frames."""
        missing = {key.fd: frames for key in self.selector.get_map().values()}
        while missing:
            for key, _ in self.selector.select():
                data = self.rest.pop(key.fd, b"") + key.fileobj.recv(65536)  # type: ignore[union-attr]
                while data and len(data) >= (size := frame_size(data)):
                    data = data[size:]
                    missing[key.fd] = missing.get(key.fd, 0) - 1
                    if not missing[key.fd]:
                        del missing[key.fd]
                if data:
                    self.rest[key.fd] = data
        return time.monotonic()


def main() -> None:
    plan = json.loads(sys.stdin.readline())
    crowd = Crowd(plan)
    print("ready", flush=True)
    while sys.stdin.readline():
        print("armed", flush=True)
        print(crowd.wait_for(1), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
