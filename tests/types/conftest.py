"""The TypeScript compiler, and a folder to compile in."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.tooling import ROOT

MODULE = ROOT / "channels_progress" / "static" / "channels_progress" / "channels_progress.js"
HERE = Path(__file__).parent

#: ``compile(*files, **options)``: what tsc says, one line per error.
Compile = Callable[..., list[str]]


@pytest.fixture
def compile_types(npm_packages: Path, tmp_path: Path) -> Compile:
    """``tsc --strict`` over files of ``tmp_path``, where ``channels_progress`` is our module."""
    (tmp_path / "node_modules").symlink_to(npm_packages)

    def run(*names: str, **options: Any) -> list[str]:
        settings = {
            "strict": True,
            "noUncheckedIndexedAccess": True,
            "exactOptionalPropertyTypes": True,
            "noEmit": True,
            "target": "es2022",
            "lib": ["es2022", "dom", "dom.iterable"],
            "module": "esnext",
            "moduleResolution": "bundler",
            "types": [],
            "paths": {"channels_progress": [str(MODULE.with_suffix(".d.ts"))]},
            **options,
        }
        config = tmp_path / "tsconfig.json"
        config.write_text(json.dumps({"compilerOptions": settings, "files": list(names)}))
        command = [str(npm_packages / ".bin" / "tsc"), "--project", str(config)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
        return [line for line in done.stdout.splitlines() if ": error TS" in line or line.startswith("error TS")]

    return run
