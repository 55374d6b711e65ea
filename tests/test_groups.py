"""Names of groups: legal for every layer, and no two channels share one."""

from __future__ import annotations

import pytest
from channels.layers import BaseChannelLayer
from hypothesis import given
from hypothesis import strategies as st

from channels_progress.groups import name_group

UUID = "0d5f0f3e-9a55-4b0a-8d3a-3a1f6f0e6a11"
TEXTS = st.one_of(st.text(max_size=50), st.text(alphabet="ab.-_:\n", max_size=8), st.text(alphabet="a", max_size=120))


def test_plain_names_stay_readable() -> None:
    assert name_group("channels_progress", f"task:{UUID}") == f"channels_progress.task.{UUID}"
    assert name_group("site", "tasks:0a1b") == "site.tasks.0a1b"


@pytest.mark.parametrize("uid", ["a b", "a\n", "", "é", "\ud800", "a" * 37, "a.b", "٣"])
def test_other_names_are_hashed(uid: str) -> None:
    group = name_group("site", f"task:{uid}")
    assert group.startswith("site.task.sha-")
    assert BaseChannelLayer().require_valid_group_name(group)


@given(st.tuples(TEXTS, TEXTS), st.tuples(TEXTS, TEXTS))
def test_no_two_channels_share_a_group(one: tuple[str, str], other: tuple[str, str]) -> None:
    groups = [name_group(*one), name_group(*other)]
    assert all(BaseChannelLayer().require_valid_group_name(group) for group in groups)
    assert (one == other) == (groups[0] == groups[1])


ODD_IDS = [
    *("1\n", "1", "1 ", "\n1", "١", "۱", "１", "..", ".", "", "a.b", "a-b", "a_b", "x" * 299, "x" * 300),
    *("../../etc/passwd", "*", "?", "[ab]", "task:1", "a\0", "\ud800", "é", "e\u0301", "A", "a"),
]


@pytest.mark.parametrize("kind", ["task:", "tasks:", "user:", "articles.article-", ""])
def test_odd_ids_have_safe_groups_of_their_own(kind: str) -> None:
    groups = [name_group("site", kind + odd) for odd in ODD_IDS]
    assert len(set(groups)) == len(groups)
    assert all(BaseChannelLayer().require_valid_group_name(group) for group in groups)
    assert all(group.isascii() and len(group) < 100 and ".." not in group for group in groups)


def test_a_namespace_cannot_reach_into_another() -> None:
    groups = [name_group(space, "task:1") for space in ("site", "site.task", "site.task.1", "site\n", "Site", "..", "")]
    assert len(set(groups)) == len(groups)
