"""The directory trees one may hash; a page names them and never gives a path."""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Iterator
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent.parent
TREES = {
    "stdlib": Path(sysconfig.get_path("stdlib")),
    "packages": Path(sysconfig.get_path("purelib")),
    "checkout": CHECKOUT,
}
LABELS = {
    "stdlib": "Python's standard library",
    "packages": "the installed packages",
    "checkout": "this checkout",
}
# Caches change while we look, and an environment or installed packages are trees of their own.
SKIPPED_FOLDERS = {"__pycache__", "site-packages", "node_modules"}


def find_files(tree: str) -> Iterator[Path]:
    """The regular files of one of ``TREES``, in the order of their paths; no hidden folders, no symbolic links."""
    for folder, folders, names in os.walk(TREES[tree]):
        folders[:] = sorted(name for name in folders if name not in SKIPPED_FOLDERS and not name.startswith("."))
        yield from (path for path in map(Path(folder).joinpath, sorted(names)) if _is_regular(path))


def _is_regular(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()
