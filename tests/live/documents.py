"""Reads our documents as a person would who follows them: chapters, blocks that name their file, commands to type."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CHAPTER = re.compile(r"^## (?:\d+\. )?(.+)\n", re.MULTILINE)
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE_LINE = re.compile(
    r"(?:#|\{#) (?P<path>[\w./]+)(?:, (?P<place>at the top|at the end|instead of (?P<name>\w+)))?(?: #\})?"
)
#: Stands for any text in what a command prints.
ELLIPSIS = "…"


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, and its text with the line end."""

    language: str
    text: str

    @property
    def names_file(self) -> bool:
        """Whether its first line says which file it belongs to."""
        return FILE_LINE.fullmatch(self.text.partition("\n")[0]) is not None


@dataclass(frozen=True, slots=True)
class Command:
    """What is typed, and what it prints."""

    line: str
    output: str


def read_chapters(document: Path) -> dict[str, list[Block]]:
    """The blocks of each second-level heading, numbers left off; those before the first one under an empty name."""
    parts = CHAPTER.split(document.read_text())
    chapters = {"": parts[0], **dict(zip(parts[1::2], parts[2::2], strict=True))}
    return {heading: [Block(*found) for found in BLOCK.findall(text)] for heading, text in chapters.items()}


def read_commands(block: Block) -> Iterator[Command]:
    """The commands of a console block, each with the output shown below it."""
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        line, _, output = part.partition("\n")
        yield Command(line, output)


def prints_what_is_shown(output: str, shown: str) -> bool:
    """Whether all that is shown stands in the output, line for line, whatever ``…`` stands for."""
    pattern = ".*".join(re.escape(part.strip("\n")) for part in shown.split(ELLIPSIS))
    return re.search(pattern, output, re.DOTALL) is not None


def write_block(folder: Path, block: Block) -> Path:
    """Do with a file what the first line of the block says; the file's path.

    Raises:
        ValueError: The first line names no file, or what is to be replaced is not there.
    """
    first_line, _, text = block.text.partition("\n")
    match = FILE_LINE.fullmatch(first_line)
    if not match:
        raise ValueError(f"{first_line!r} does not say which file the block belongs to, and where.")
    path = folder / match["path"]
    path.parent.mkdir(parents=True, exist_ok=True)
    before = path.read_text() if match["place"] else ""
    path.write_text(_put(before, text, match["place"], match["name"]))
    return path


def _put(before: str, text: str, place: str | None, name: str | None) -> str:
    if name:
        return _replace(before, name, text)
    return f"{text}\n{before}" if place == "at the top" else f"{before}\n\n{text}"


def _replace(source: str, name: str, text: str) -> str:
    """The source with ``text`` instead of the top-level function, class or value of that name."""
    for node in ast.parse(source).body:
        if _find_name(node) == name:
            lines = source.splitlines(keepends=True)
            first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", ()))])
            return "".join([*lines[: first - 1], text, *lines[node.end_lineno :]])
    raise ValueError(f"There is no {name} to put something instead of.")


def _find_name(node: ast.stmt) -> str | None:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return node.name
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id
    return None
