"""The Redis store's Lua scripts, one per operation, each behind what it shares with others."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from typing import NamedTuple


class Script(NamedTuple):
    """A script as ``EVAL`` and, by its digest, ``EVALSHA`` take it."""

    text: bytes
    sha: bytes


@cache
def load_script(*names: str) -> Script:
    """The script in the files of these names, one after the other."""
    folder = files(__name__)
    text = b"\n".join((folder / f"{name}.lua").read_bytes() for name in names)
    # Redis names scripts by SHA-1; nothing secret depends on it.
    return Script(text, hashlib.sha1(text, usedforsecurity=False).hexdigest().encode())
