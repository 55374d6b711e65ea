"""Imports point one way (the contracts are in pyproject.toml), and importing the package costs little."""

from __future__ import annotations

import json
import pkgutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.tooling import ROOT

pytestmark = pytest.mark.same_everywhere

TELL_MODULES = "import json, sys, channels_progress; print(json.dumps(sorted(sys.modules)))"
HEAVY = ("celery", "kombu", "rest_framework", "redis", "django.db.models", "channels.layers")


def test_imports_point_one_way() -> None:
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.fail(done.stdout + done.stderr, pytrace=False)


@pytest.mark.parametrize(
    ("what", "may_import"),
    [("Celery only under tasks", {"apps", "tasks"}), ("Django REST framework only under rest", {"rest"})],
)
def test_what_is_optional_is_kept_out_of_all_else(what: str, may_import: set[str]) -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    [contract] = [contract for contract in contracts if contract["name"] == what]
    modules = [module.name for module in pkgutil.iter_modules([str(ROOT / "channels_progress")])]
    kept_out = [name.removeprefix("channels_progress.") for name in contract["source_modules"]]
    assert kept_out == sorted({*modules} - may_import)


def test_importing_the_package_loads_no_celery_and_no_models() -> None:
    done = subprocess.run([sys.executable, "-c", TELL_MODULES], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = json.loads(done.stdout)
    assert "channels_progress" in loaded
    assert [name for name in HEAVY if name in loaded] == []
