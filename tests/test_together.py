"""Tests that share servers run in one process, where several processes run the suite."""

from __future__ import annotations

import pytest


@pytest.mark.xdist_group("together")
def test_marked_tests_stay_together(request: pytest.FixtureRequest) -> None:
    """pytest-xdist tells its scheduler by the end of the test's id."""
    keeps_groups = request.config.getoption("loadgroup", default=False)
    assert request.node.nodeid.endswith("@together") is keeps_groups
