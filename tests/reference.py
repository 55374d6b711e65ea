"""The published package django-channels-broadcast, whose clients ours serves, too: fetched, never kept here."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from tests.tooling import ROOT

NAME = "django-channels-broadcast"
SCRIPTS = "channels_broadcast/static/channels_broadcast/js/"


def find_reference_scripts(version: str) -> Path:
    """The folder with the JavaScript of this release, from its sdist on PyPI; fetched on first use.

    Raises:
        LookupError: pip could not fetch it, with what it said.
    """
    target = ROOT / ".cache" / "reference" / version
    if not target.exists():
        _fetch_scripts(version, target)
    return target


def _fetch_scripts(version: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        # Its metadata wants a newer setuptools than there may be, which pip brings for itself.
        options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-binary", NAME, "--dest", folder]
        command = [sys.executable, "-m", "pip", "download", *options, f"{NAME}=={version}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        sdist = next(Path(folder).glob("*.tar.gz"), None)
        if done.returncode or not sdist:
            raise LookupError(f"pip download {NAME}=={version} failed:\n{done.stdout}{done.stderr}")
        work = Path(folder) / "js"
        work.mkdir()
        _extract_scripts(sdist, work)
        try:
            work.rename(target)
        except OSError:
            # Another test process was faster.
            if not target.exists():
                raise


def _extract_scripts(sdist: Path, folder: Path) -> None:
    with tarfile.open(sdist) as archive:
        for member in archive:
            file = archive.extractfile(member) if SCRIPTS in member.name else None
            if file:
                (folder / Path(member.name).name).write_bytes(file.read())
