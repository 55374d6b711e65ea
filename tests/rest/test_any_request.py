"""Whatever is sent to the API is answered, not by an error of the server's, and touches nothing of somebody else's."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from rest_framework.test import APIRequestFactory, force_authenticate

from channels_progress.inbox_tables import ItemStatus
from channels_progress.models import InboxItem
from channels_progress.notifications import notify
from channels_progress.rest.preferences import preferences
from channels_progress.rest.serializers import InboxAction
from channels_progress.rest.views import inbox, item
from tests.fuzz.test_parsers import TEXTS, VALUES

UIDS = st.uuids().map(str) | TEXTS
FIELDS = {
    "action_choice": st.sampled_from(InboxAction.values) | VALUES,
    "notification_uids": st.lists(UIDS, max_size=3) | VALUES,
    "status": st.sampled_from(ItemStatus.values) | VALUES,
    "delivery": st.sampled_from(["", "email"]) | VALUES,
    "kind": VALUES,
    "is_enabled": st.booleans() | VALUES,
}
BODIES = TEXTS | (VALUES | st.fixed_dictionaries({}, optional=FIELDS)).map(json.dumps)
QUERIES = st.dictionaries(st.sampled_from(["page", "page_size", "is_read", "x"]), st.integers().map(str) | TEXTS)

thorough = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
pytestmark = pytest.mark.django_db


def answer(view: Any, user: User, method: str, path: str = "/", body: str = "", **kwargs: Any) -> Any:
    request = APIRequestFactory().generic(method, path, body.encode("utf-8", "surrogatepass"), "application/json")
    force_authenticate(request, user)
    response = view(request, **kwargs).render()
    json.loads(response.content)
    return response


@pytest.fixture
def alice_and_bob() -> tuple[User, User]:
    return User.objects.create_user("alice"), User.objects.create_user("bob")


@pytest.fixture
def uids(alice_and_bob: tuple[User, User]) -> tuple[UUID, UUID]:
    """Of Alice's notification, and of Bob's, which she must not touch."""
    own, foreign = (InboxItem.objects.get(notice=notify(user, "a")).uid for user in alice_and_bob)
    return own, foreign


@thorough
@example("[" * 100_000)
@example('{"action_choice": "\\ud800"}')
@example('{"status": "\\ud800"}')
@example('{"is_enabled": true, "delivery": "\\ud800"}')
@example('{"is_enabled": true, "kind": "\\u0000"}')
@example('{"action_choice": NaN}')
@example('{"action_choice": ' + "9" * 5_000 + "}")
@given(BODIES)
def test_any_body_is_answered(alice_and_bob: tuple[User, User], uids: tuple[UUID, UUID], body: str) -> None:
    alice, _ = alice_and_bob
    own, foreign = uids
    InboxItem.objects.update(status="ACTIVE", read_at=None)
    for view, kwargs in ((item, {"uid": own}), (item, {"uid": foreign}), (inbox, {}), (preferences, {})):
        assert answer(view, alice, "PATCH", body=body, **kwargs).status_code in (200, 400, 404)
    assert InboxItem.objects.filter(uid=foreign, status="ACTIVE", read_at=None).exists()


@thorough
@example("\x00")
@example("9" * 5_000)
@given(TEXTS)
def test_any_uid_is_answered(alice_and_bob: tuple[User, User], uid: str) -> None:
    for method in ("GET", "PATCH"):
        assert answer(item, alice_and_bob[0], method, body="{}", uid=uid).status_code == 404


@thorough
@given(QUERIES)
def test_any_query_is_answered(alice_and_bob: tuple[User, User], query: dict[str, str]) -> None:
    path = "/?" + "&".join(f"{quote(key)}={quote(value, errors='surrogatepass')}" for key, value in query.items())
    assert answer(inbox, alice_and_bob[0], "GET", path).status_code in (200, 400, 404)
