"""The Redis store's Lua scripts, one per operation, each behind ``shared.lua``."""

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
def load_script(name: str) -> Script:
    """The script in ``name.lua``."""
    folder = files(__name__)
    text = b"\n".join((folder / file).read_bytes() for file in ("shared.lua", f"{name}.lua"))
    # Redis names scripts by SHA-1; nothing secret depends on it.
    return Script(text, hashlib.sha1(text, usedforsecurity=False).hexdigest().encode())
