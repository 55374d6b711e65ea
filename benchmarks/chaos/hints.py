"""A proxy between the site and its store that loses, doubles and reorders hints, and changes nothing else."""

from __future__ import annotations

import asyncio
import random
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

HOST = "127.0.0.1"
CHUNK_BYTES = 1 << 16
#: What is done to a hint, each with this probability.
DROP, DOUBLE, SWAP = "dropped", "doubled", "swapped"
PROBABILITY = 0.1


def find_end(data: bytes | bytearray, start: int = 0) -> int | None:
    """Where the reply of Redis (RESP 2 or 3) that begins at ``start`` ends; None where it is not whole yet."""
    line_end = data.find(b"\r\n", start)
    if line_end < 0:
        return None
    kind, end = data[start : start + 1], line_end + 2
    if kind not in b"$=!*>~%|":
        return end
    length = int(data[start + 1 : line_end])
    if kind in b"$=!":
        end += length + 2 if length >= 0 else 0
        return end if end <= len(data) else None
    for _ in range(length * 2 if kind in b"%|" else length):
        if (found := find_end(data, end)) is None:
            return None
        end = found
    return end


def is_hint(reply: bytes) -> bool:
    """Whether it is a published message, rather than the answer to a command."""
    return b"message\r\n" in reply[:32]


@dataclass(slots=True)
class HintMangler:
    """One subscribed connection's replies, in and out."""

    random: random.Random
    counts: Counter[str]
    _buffer: bytearray = field(default_factory=bytearray)
    _held: bytes = b""

    def feed(self, chunk: bytes) -> bytes:
        """What goes on to the site of all that has come so far."""
        self._buffer += chunk
        out = bytearray()
        while (end := find_end(self._buffer)) is not None:
            out += self._pass(bytes(self._buffer[:end]))
            del self._buffer[:end]
        return bytes(out)

    def _pass(self, reply: bytes) -> bytes:
        if not is_hint(reply):
            return reply
        self.counts["made"] += 1
        held, self._held = self._held, b""
        fate = self.random.choices([DROP, DOUBLE, SWAP, ""], [PROBABILITY] * 3 + [1 - 3 * PROBABILITY])[0]
        if fate:
            self.counts[fate] += 1
        if fate == SWAP:
            # It comes after the next one, or never.
            self._held = reply
            return held
        return {DROP: b"", DOUBLE: reply * 2}.get(fate, reply) + held


@dataclass(slots=True)
class HintProxy:
    """Listens on ``port`` for the store at ``upstream_port``.

    Attributes:
        counts: how many hints were made, and what was done to some.
    """

    upstream_port: int
    random: random.Random
    port: int = 0
    counts: Counter[str] = field(default_factory=Counter)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection for as long as both ends want it."""
        with suppress(OSError):
            up_reader, up_writer = await asyncio.open_connection(HOST, self.upstream_port)
            subscribed = asyncio.Event()
            ways = {
                asyncio.ensure_future(self._ask(reader, up_writer, subscribed)),
                asyncio.ensure_future(self._answer(up_reader, writer, subscribed)),
            }
            _done, pending = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in pending:
                way.cancel()
            up_writer.close()
        writer.close()

    async def _ask(self, reader: asyncio.StreamReader, up: asyncio.StreamWriter, subscribed: asyncio.Event) -> None:
        with suppress(OSError):
            while chunk := await reader.read(CHUNK_BYTES):
                if b"SUBSCRIBE" in chunk.upper():
                    subscribed.set()
                up.write(chunk)
                await up.drain()

    async def _answer(self, up: asyncio.StreamReader, writer: asyncio.StreamWriter, subscribed: asyncio.Event) -> None:
        mangler = HintMangler(self.random, self.counts)
        with suppress(OSError):
            while chunk := await up.read(CHUNK_BYTES):
                # Replies before the first subscription were whole: nobody asks again before he has them.
                writer.write(mangler.feed(chunk) if subscribed.is_set() else chunk)
                await writer.drain()


@contextmanager
def mangling(upstream_port: int, seed: int) -> Iterator[HintProxy]:
    """A listening proxy, in a thread of its own."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    proxy = HintProxy(upstream_port, random.Random(seed))
    server = asyncio.run_coroutine_threadsafe(asyncio.start_server(proxy.handle, HOST, 0), loop).result(10)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
