"""A token opens its channels for its viewer, until it is too old; any other is refused, always alike."""

from __future__ import annotations

import json
import re
import string
import time
import traceback
import uuid

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.sessions.backends.signed_cookies import SessionStore
from django.core.signing import Signer
from django.test import RequestFactory, override_settings
from hypothesis import example, given
from hypothesis import strategies as st

from channels_progress.conf import get_settings
from channels_progress.consumers.protocol import parse_frame
from channels_progress.consumers.query import parse_query
from channels_progress.exceptions import TokenRefused
from channels_progress.tokens import (
    Grant,
    has_valid_signature,
    issue_subscription_token,
    read_expired_token,
    verify_subscription_token,
)
from channels_progress.viewers import Viewer

ALICE = Viewer(User(pk=1, username="alice"))
BOB = Viewer(User(pk=2, username="bob"))
VISITOR = Viewer(AnonymousUser(), "n0nce")
CHANNEL = "task:6f1c0b9e-5a6e-4b0e-9d53-0c8d7b1f2a11"
REFUSAL = "This subscription token is not valid."
# RFC 7230, 3.2.6.
TCHARS = frozenset(string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~")


def issue(viewer: object = ALICE, **options: object) -> str:
    return issue_subscription_token(viewer, [CHANNEL], **options)


def assert_refused(token: object, viewer: Viewer = ALICE) -> None:
    with pytest.raises(TokenRefused) as caught:
        verify_subscription_token(token, viewer)
    assert caught.value.args == (REFUSAL,)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch):
    def pass_time(seconds: float) -> None:
        moment = time.time() + seconds
        monkeypatch.setattr(time, "time", lambda: moment)

    return pass_time


@pytest.mark.parametrize("viewer", [ALICE, VISITOR, Viewer(ALICE.user, "n0nce")])
def test_token_grants_what_it_was_issued_for(viewer: Viewer) -> None:
    token = issue_subscription_token(viewer, ["task:b", "task:a", "task:b"], rights=["cancel"])
    assert verify_subscription_token(token, viewer) == Grant(("task:b", "task:a"), frozenset({"cancel"}))


def test_token_can_be_issued_for_a_user() -> None:
    assert verify_subscription_token(issue(ALICE.user), ALICE) == Grant((CHANNEL,), frozenset())


def test_token_of_a_session_is_good_after_its_login() -> None:
    assert verify_subscription_token(issue(VISITOR), Viewer(BOB.user, "n0nce")) == Grant((CHANNEL,), frozenset())


@pytest.mark.parametrize(
    "viewer",
    [
        BOB,
        VISITOR,
        Viewer(AnonymousUser()),
        Viewer(None),
        Viewer(User(pk=1, is_active=False)),
        Viewer(User(pk=11)),
        Viewer(None, "user:1"),
    ],
)
def test_token_is_refused_for_anybody_else(viewer: Viewer) -> None:
    assert_refused(issue(), viewer)
    with pytest.raises(TokenRefused, match=REFUSAL):
        read_expired_token(issue(), viewer)


def test_token_of_a_session_is_refused_for_another_session() -> None:
    assert_refused(issue(VISITOR), Viewer(AnonymousUser(), "other"))
    assert_refused(issue(VISITOR), ALICE)


def test_inactive_user_is_refused_with_a_session_token_too() -> None:
    assert_refused(issue(VISITOR), Viewer(User(pk=1, is_active=False), "n0nce"))


@pytest.mark.parametrize(("ttl", "max_age_s"), [(None, 43_200), (60, 60), (90_000.5, 90_000.5)])
def test_token_expires(later, ttl: float | None, max_age_s: float) -> None:
    token = issue(ttl=ttl)
    later(max_age_s - 2)
    assert has_valid_signature(token)
    assert verify_subscription_token(token, ALICE).channels == (CHANNEL,)
    later(4)
    assert not has_valid_signature(token)
    assert_refused(token)
    assert read_expired_token(token, ALICE) == Grant((CHANNEL,), frozenset(), ttl)


def test_shortened_maximum_age_is_in_force_at_once(later) -> None:
    token, own = issue(), issue(ttl=3_600)
    later(100)
    with override_settings(CHANNELS_PROGRESS={"TOKEN_MAX_AGE_S": 50}):
        assert_refused(token)
        assert has_valid_signature(own)


def test_rotated_secret_is_honoured_until_it_is_dropped() -> None:
    with override_settings(SECRET_KEY="former"):
        token = issue()
    assert_refused(token)
    with override_settings(SECRET_KEY_FALLBACKS=["former"]):
        assert has_valid_signature(token)
        assert verify_subscription_token(token, ALICE) == Grant((CHANNEL,), frozenset())


@pytest.mark.parametrize("namespace", ["other", lambda: "other", "channels_progressx"])
def test_token_of_another_namespace_is_refused(namespace: object) -> None:
    token = issue()
    with override_settings(CHANNELS_PROGRESS={"NAMESPACE": namespace}):
        assert verify_subscription_token(issue(), ALICE)
        assert_refused(token)
        assert not has_valid_signature(token)


NOW = int(time.time())


def test_payload_is_laid_out_as_the_next_test_assumes() -> None:
    signer = Signer(sep="~", salt="channels_progress.subscription.channels_progress")
    assert verify_subscription_token(signer.sign_object([2, "user:1", NOW, [CHANNEL], [], None, 0]), ALICE)


@pytest.mark.parametrize("payload", [{}, 7, None, [], [1, "user:1", NOW, [CHANNEL], [], None], [2, "user:1", NOW]])
def test_payload_of_another_release_is_refused(payload: object) -> None:
    token = Signer(sep="~", salt="channels_progress.subscription.channels_progress").sign_object(payload)
    assert_refused(token)


@pytest.mark.parametrize("channel", [CHANNEL, "task:Grüße/~ \n😀", "task:\ud800"])
def test_token_may_stand_in_a_subprotocol_header(channel: str) -> None:
    token = issue_subscription_token(VISITOR, [channel])
    assert set(token) <= TCHARS
    assert verify_subscription_token(token, VISITOR).channels == (channel,)


@example("abc~\ud800")
@example("\ud800~abc")
@example("a" * 5_000)
@given(st.text() | st.binary() | st.integers() | st.none() | st.from_regex(r"\A\.?[\w-]+~[\w-]{43}\Z", fullmatch=True))
def test_any_text_is_refused_and_nothing_else_happens(text: object) -> None:
    assert_refused(text)
    assert not has_valid_signature(text)


@given(st.data())
def test_any_changed_character_is_refused(data: st.DataObject) -> None:
    token = issue()
    place = data.draw(st.integers(0, len(token)))
    inserted = data.draw(st.sampled_from([*sorted(TCHARS), "\n", "=", ""]) | st.characters())
    removed = data.draw(st.integers(0, 1))
    changed = token[:place] + inserted + token[place + removed :]
    if changed != token:
        assert_refused(changed)
        assert not has_valid_signature(changed)


def test_refusal_shows_nothing_of_the_token() -> None:
    token = issue()[:-1]
    with pytest.raises(TokenRefused) as caught:
        verify_subscription_token(token, ALICE)
    assert token[-20:] not in "".join(traceback.format_exception(caught.value))


def test_nothing_that_holds_a_token_shows_it() -> None:
    token = issue(VISITOR)
    frame = parse_frame(json.dumps({"type": "subscribe", "token": token}), max_bytes=4_096)
    query = parse_query({"query_string": f"subscription_token={token}".encode()})
    grant = verify_subscription_token(token, VISITOR)
    assert (frame.token, query.token) == (token, token)
    shown = "".join(map(repr, (frame, query, grant, VISITOR)))
    assert token.partition("~")[2] not in shown
    assert VISITOR.nonce not in shown


@pytest.mark.parametrize("viewer", [AnonymousUser(), None, Viewer(AnonymousUser()), Viewer(None), User()])
def test_token_for_nobody_is_not_issued(viewer: object) -> None:
    with pytest.raises(ValueError, match=r"Nothing identifies .* pass the request"):
        issue(viewer)


@pytest.mark.parametrize(
    ("error", "match", "arguments"),
    [
        (ValueError, "channels is empty", {"channels": []}),
        (TypeError, "channels is 'task:a'; a list", {"channels": "task:a"}),
        (TypeError, "channels holds int 7; strings", {"channels": [7]}),
        (TypeError, "rights is 'cancel'; a list", {"rights": "cancel"}),
        (ValueError, r"rights holds \['own'\]; allowed are \['cancel'\]", {"rights": ["own", "cancel"]}),
        (ValueError, "ttl is 0; a positive", {"ttl": 0}),
        (ValueError, "ttl is nan; a positive", {"ttl": float("nan")}),
    ],
)
def test_slip_of_the_caller_is_named(error: type[Exception], match: str, arguments: dict[str, object]) -> None:
    with pytest.raises(error, match=match):
        issue_subscription_token(ALICE, **{"channels": [CHANNEL], **arguments})


def uuid_channels(count: int) -> list[str]:
    return [f"task:{uuid.uuid5(uuid.NAMESPACE_DNS, str(number))}" for number in range(count)]


def test_token_that_no_frame_can_carry_is_not_issued() -> None:
    with pytest.raises(ValueError, match=re.escape("A token for 150 channels needs frames of")) as caught:
        issue_subscription_token(ALICE, uuid_channels(150))
    assert f"MAX_FRAME_BYTES is {get_settings().MAX_FRAME_BYTES}" in str(caught.value)
    with override_settings(CHANNELS_PROGRESS={"MAX_FRAME_BYTES": 32_768}):
        token = issue_subscription_token(ALICE, uuid_channels(150))
        assert verify_subscription_token(token, ALICE).channels == tuple(uuid_channels(150))
    assert_refused(token)


def test_thirty_tasks_of_one_page_fit_into_one_token() -> None:
    token = issue_subscription_token(ALICE, uuid_channels(30), rights=["cancel"])
    assert verify_subscription_token(token, ALICE).channels == tuple(uuid_channels(30))


def test_a_request_stands_for_its_user() -> None:
    request = RequestFactory().get("/")
    request.user = ALICE.user
    token = issue_subscription_token(request, ["a"])
    grants = [verify_subscription_token(token, viewer) for viewer in (request, ALICE.user, ALICE)]
    assert grants == [Grant(("a",), frozenset())] * 3


def test_a_request_without_login_stands_for_its_session() -> None:
    request, other = RequestFactory().get("/"), RequestFactory().get("/")
    for each in (request, other):
        each.user, each.session = AnonymousUser(), SessionStore()
    token = issue_subscription_token(request, ["a"])
    assert verify_subscription_token(token, request).channels == ("a",)
    with pytest.raises(TokenRefused):
        verify_subscription_token(token, other)
