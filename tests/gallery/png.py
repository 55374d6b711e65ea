"""Just enough of PNG: what Chromium writes, read; pictures with a palette, written small.

The format: https://www.w3.org/TR/png-3/ (filters: section 9; chunks: section 11).
"""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from dataclasses import dataclass

SIGNATURE = b"\x89PNG\r\n\x1a\n"
Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Picture:
    """Opaque pixels: rows of (red, green, blue)."""

    rows: list[list[Colour]]

    @property
    def width(self) -> int:
        return len(self.rows[0])


def read_png(data: bytes) -> Picture:
    """An 8-bit picture in true colour or with a palette; transparency is left out."""
    chunks = _unpack_chunks(data)
    width, height, depth, colour_type, *_, interlaced = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert (depth, interlaced) == (8, 0), "neither Chromium nor write_png makes such pictures"
    step = {2: 3, 3: 1, 6: 4}[colour_type]
    lines = _unfilter(zlib.decompress(chunks[b"IDAT"]), width * step, height, step)
    if colour_type != 3:
        return Picture([list(zip(line[::step], line[1::step], line[2::step], strict=True)) for line in lines])
    colours = chunks[b"PLTE"]
    palette = list(zip(colours[::3], colours[1::3], colours[2::3], strict=True))
    return Picture([[palette[place] for place in line] for line in lines])


def _unpack_chunks(data: bytes) -> dict[bytes, bytes]:
    """By kind; the contents of several of one kind together."""
    chunks: dict[bytes, bytes] = {}
    position = len(SIGNATURE)
    while position < len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        chunks[kind] = chunks.get(kind, b"") + data[position + 8 : position + 8 + length]
        position += length + 12
    return chunks


def _unfilter(data: bytes, stride: int, height: int, step: int) -> list[bytearray]:
    lines, above = [], bytearray(stride)
    for start in range(0, height * (stride + 1), stride + 1):
        line = bytearray(data[start + 1 : start + 1 + stride])
        _restore(data[start], line, above, step)
        lines.append(line)
        above = line
    return lines


def _restore(method: int, line: bytearray, above: bytearray, step: int) -> None:
    """Undo the filter of one line, in place."""
    if method == 2:
        line[:] = bytes((byte + up) & 255 for byte, up in zip(line, above, strict=True))
    elif method:
        for index in range(len(line)):
            left, corner = (line[index - step], above[index - step]) if index >= step else (0, 0)
            line[index] = (line[index] + _predict(method, left, above[index], corner)) & 255


def _predict(method: int, left: int, up: int, corner: int) -> int:
    if method == 1:
        return left
    if method == 3:
        return (left + up) // 2
    guess = left + up - corner
    return min((left, up, corner), key=lambda byte: abs(guess - byte))


def write_png(picture: Picture, colours: int = 256) -> bytes:
    """The picture in at most so many colours (256), each other one replaced by the nearest of them."""
    common = Counter(pixel for row in picture.rows for pixel in row)
    palette = _choose_palette(common, colours)
    places = {
        colour: min(range(len(palette)), key=lambda place: _distance(palette[place], colour)) for colour in common
    }
    lines = b"".join(b"\0" + bytes([places[pixel] for pixel in row]) for row in picture.rows)
    header = struct.pack(">IIBBBBB", picture.width, len(picture.rows), 8, 3, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"PLTE", bytes(sum(palette, ()))), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b"")]
    return SIGNATURE + b"".join(_pack_chunk(kind, content) for kind, content in chunks)


def _choose_palette(common: Counter[Colour], colours: int) -> list[Colour]:
    """The commonest, and then always the one that is most missed: one red word among grey ones must stay red."""
    palette = [common.most_common(1)[0][0]]
    losses = {colour: _distance(colour, palette[0]) for colour in common}
    while len(palette) < min(colours, len(common)):
        missed = max(losses, key=lambda colour: losses[colour] * common[colour])
        palette.append(missed)
        losses = {colour: min(loss, _distance(colour, missed)) for colour, loss in losses.items()}
    return palette


def _distance(one: Colour, other: Colour) -> int:
    return sum((a - b) ** 2 for a, b in zip(one, other, strict=True))


def _pack_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
