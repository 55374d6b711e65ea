"""A proxy in front of the site that treats WebSockets as badly as real ones do, and counts what passes."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum, auto

HOST = "127.0.0.1"
CHUNK_BYTES = 1 << 16
UPGRADE_HEADERS = ("upgrade:", "sec-websocket-", "connection:")


class Treatment(Enum):
    """What becomes of a request to upgrade."""

    PASS = auto()
    FORBID = auto()  # answered with 403
    STRIP = auto()  # passed on as an ordinary GET
    DROP = auto()  # accepted, then hung up
    SWALLOW = auto()  # accepted, then nothing passes in either direction


@dataclass(frozen=True, slots=True)
class Passed:
    """One request: when (monotonic seconds), its target, and whether it asked for an upgrade."""

    at: float
    target: str
    is_upgrade: bool


@dataclass(slots=True)
class BlockingProxy:
    """Passes HTTP on, one request per connection.

    Attributes:
        upstream_port: The site's.
        treatment: Of upgrades; may be changed at any time, and what is open then stays as it is.
        passed: All requests so far.
        port: Where it listens.
        loop: Runs in a thread of its own.
    """

    upstream_port: int
    treatment: Treatment = Treatment.PASS
    passed: list[Passed] = field(default_factory=list)
    port: int = 0
    _streams: set[asyncio.StreamWriter] = field(default_factory=set)
    _handlers: set[asyncio.Task[None]] = field(default_factory=set)
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)

    @property
    def url(self) -> str:
        """The site's address through this proxy."""
        return f"http://{HOST}:{self.port}"

    def count_polls(self, since: float = 0.0) -> int:
        """How many requests asked for a task's state again."""
        return sum("since=" in each.target and each.at >= since for each in self.passed)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._streams.add(writer)
        handler = asyncio.current_task()
        assert handler
        self._handlers.add(handler)
        handler.add_done_callback(self._handlers.discard)
        with suppress(OSError, asyncio.IncompleteReadError):
            await self._serve(reader, writer)
        await self._let_go(writer)

    def hang_up(self) -> None:
        """Cut all connections. From any thread."""
        for writer in list(self._streams):
            self.loop.call_soon_threadsafe(writer.transport.abort)

    async def close(self, server: asyncio.Server) -> None:
        """Stop listening, cut all connections, and see their handlers end."""
        server.close()
        # One that was being accepted has a handler a moment later.
        for _ in range(5):
            for writer in list(self._streams):
                writer.transport.abort()
            if self._handlers:
                await asyncio.wait(self._handlers)
            await asyncio.sleep(0.05)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request, *headers = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")[:-2]
        is_upgrade = any(header.lower().startswith("upgrade:") for header in headers)
        self.passed.append(Passed(time.monotonic(), request.split()[1], is_upgrade))
        treatment = self.treatment if is_upgrade else Treatment.STRIP
        if treatment is Treatment.FORBID:
            writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            await writer.drain()
            return
        if treatment is Treatment.STRIP:
            headers = [header for header in headers if not header.lower().startswith(UPGRADE_HEADERS)]
            headers.append("Connection: close")
        await self._pass_on("\r\n".join([request, *headers, "", ""]), reader, writer, treatment)

    async def _pass_on(
        self, head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, treatment: Treatment
    ) -> None:
        up_reader, up_writer = await asyncio.open_connection(HOST, self.upstream_port)
        self._streams.add(up_writer)
        try:
            up_writer.write(head.encode("latin-1"))
            if treatment in {Treatment.DROP, Treatment.SWALLOW}:
                writer.write(await up_reader.readuntil(b"\r\n\r\n"))
                await writer.drain()
                if treatment is Treatment.SWALLOW:
                    await reader.read(-1)
                return
            async with asyncio.TaskGroup() as both:
                both.create_task(_copy(reader, up_writer))
                both.create_task(_copy(up_reader, writer))
        finally:
            await self._let_go(up_writer)

    async def _let_go(self, writer: asyncio.StreamWriter) -> None:
        """Close a connection. While the other side takes its time to read the rest, it can still be cut."""
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        self._streams.discard(writer)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Everything in one direction; the end of it ends the other direction as well."""
    with suppress(OSError):
        while chunk := await reader.read(CHUNK_BYTES):
            writer.write(chunk)
            await writer.drain()
    writer.close()


@contextmanager
def run_proxy(upstream_port: int) -> Iterator[BlockingProxy]:
    """A listening proxy, in a thread of its own."""
    proxy = BlockingProxy(upstream_port)
    thread = threading.Thread(target=proxy.loop.run_forever)
    thread.start()
    try:
        server = asyncio.run_coroutine_threadsafe(asyncio.start_server(proxy.handle, HOST, 0), proxy.loop).result(10)
        proxy.port = server.sockets[0].getsockname()[1]
        yield proxy
    finally:
        asyncio.run_coroutine_threadsafe(proxy.close(server), proxy.loop).result(10)
        proxy.loop.call_soon_threadsafe(proxy.loop.stop)
        thread.join()
        proxy.loop.close()
