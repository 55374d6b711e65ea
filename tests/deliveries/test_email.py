"""E-mails say what was said, to whom it was said, and never twice where nobody knows."""

from __future__ import annotations

import smtplib
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend

from channels_progress.exceptions import DeliveryNotNeeded, DeliveryRefused, DeliveryUncertain
from channels_progress.notifications.deliveries import email
from channels_progress.notifications.deliveries.email import EmailDelivery
from tests.deliveries.people import make_outgoing


class BrokenBackend(EmailBackend):
    """Raises where a mail server would."""

    on_open: BaseException | None = None
    on_send: BaseException | None = None

    def open(self) -> bool:
        """Connect."""
        if BrokenBackend.on_open:
            raise BrokenBackend.on_open
        return True

    def send_messages(self, messages: Any) -> int:
        """Send."""
        if BrokenBackend.on_send:
            raise BrokenBackend.on_send
        return super().send_messages(messages)


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Any:
    # Its setting has another name since Django 6.1.
    monkeypatch.setattr(email, "_make_connection", BrokenBackend)
    BrokenBackend.on_open = BrokenBackend.on_send = None
    return BrokenBackend


def read_mail() -> dict[str, Any]:
    [message] = mail.outbox
    [(html, kind)] = message.alternatives
    return {
        "to": message.to, "from": message.from_email, "subject": message.subject, "body": message.body, "html": html,
        "kind": kind, "reply_to": message.reply_to, "headers": message.extra_headers,
    }  # fmt: skip


def test_mail_has_the_text_twice_and_the_link() -> None:
    EmailDelivery(from_email="a@example.com", reply_to=["b@example.com"]).send(make_outgoing("5 < 7 & so on"))
    found = read_mail()
    assert found.pop("body").strip() == "5 < 7 & so on\n\nhttps://example.com/orders/1/"
    html = found.pop("html")
    assert "<p>5 &lt; 7 &amp; so on</p>" in html
    assert '<a href="https://example.com/orders/1/">Open</a>' in html
    assert found == {
        "to": ["alice@example.com"], "from": "a@example.com", "subject": "5 < 7 & so on", "kind": "text/html",
        "reply_to": ["b@example.com"], "headers": {"Auto-Submitted": "auto-generated"},
    }  # fmt: skip


def test_subject_is_one_short_line() -> None:
    EmailDelivery().send(make_outgoing("Line\nBcc: evil@example.com\n" + "x" * 2_000))
    subject = mail.outbox[0].subject
    assert subject.startswith("Line Bcc: evil@example.com xxx")
    assert len(subject) <= 150
    assert mail.outbox[0].recipients() == ["alice@example.com"]


def test_digest_is_one_mail_that_names_all() -> None:
    EmailDelivery(digest_s=60).send_digest([make_outgoing("First", url=""), make_outgoing("<b>Second</b>")])
    found = read_mail()
    assert found["subject"] == "2 new notifications"
    assert found["body"].split("\n")[:3] == ["* First", "* <b>Second</b>", "  https://example.com/orders/1/"]
    assert "<li>First</li>" in found["html"]
    assert '<a href="https://example.com/orders/1/">&lt;b&gt;Second&lt;/b&gt;</a>' in found["html"]


def test_long_digest_names_fifty_and_counts_the_rest() -> None:
    EmailDelivery(digest_s=60).send_digest([make_outgoing(f"Text {number}") for number in range(53)])
    found = read_mail()
    assert (found["subject"], found["body"].count("* Text"), found["html"].count("<li>")) == (
        "53 new notifications",
        50,
        50,
    )
    assert "and 3 more" in found["body"]
    assert "<p>and 3 more</p>" in found["html"]


def test_mail_speaks_the_language_in_force(settings: Any) -> None:
    settings.LANGUAGE_CODE = "pl"
    EmailDelivery(digest_s=60).send_digest([make_outgoing(), make_outgoing()])
    assert mail.outbox[0].subject == "2 nowe powiadomienia"


def find_language(user: User) -> str:
    """What a person has chosen, if they have."""
    return "pl" if user.username == "alice" else ""


def test_mail_speaks_the_language_of_the_person() -> None:
    delivery = EmailDelivery(digest_s=60, language=f"{__name__}.find_language")
    for username in ("alice", "bob"):
        user = User(username=username, email=f"{username}@example.com")
        delivery.send_digest([make_outgoing(user=user)] * 2)
    assert [message.subject for message in mail.outbox] == ["2 nowe powiadomienia", "2 new notifications"]


def test_templates_may_be_ones_own(settings: Any) -> None:
    templates = {f"mine.{part}": f"{part}: {{{{ notification.text }}}}" for part in ("subject.txt", "txt", "html")}
    loader = ("django.template.loaders.locmem.Loader", templates)
    settings.TEMPLATES = [
        {"BACKEND": "django.template.backends.django.DjangoTemplates", "OPTIONS": {"loaders": [loader]}}
    ]
    EmailDelivery(template="mine").send(make_outgoing("Hi"))
    found = read_mail()
    assert (found["subject"], found["body"], found["html"]) == ("subject.txt: Hi", "txt: Hi", "html: Hi")


def test_whoever_has_no_address_gets_none() -> None:
    with pytest.raises(DeliveryNotNeeded, match="no e-mail address"):
        EmailDelivery().send(make_outgoing(user=User(pk=7)))


def test_address_is_where_the_user_model_has_it(monkeypatch: Any) -> None:
    monkeypatch.setattr(User, "EMAIL_FIELD", "first_name")
    EmailDelivery().send(make_outgoing(user=User(pk=7, first_name="there@example.com", email="not@example.com")))
    assert mail.outbox[0].to == ["there@example.com"]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (smtplib.SMTPDataError(554, b"spam"), DeliveryRefused),
        (smtplib.SMTPDataError(451, b"later"), smtplib.SMTPDataError),
        (smtplib.SMTPRecipientsRefused({"a": (550, b"nobody")}), DeliveryRefused),
        (smtplib.SMTPRecipientsRefused({"a": (450, b"busy")}), smtplib.SMTPRecipientsRefused),
        (smtplib.SMTPServerDisconnected("gone"), DeliveryUncertain),
        (TimeoutError("late"), DeliveryUncertain),
        (RuntimeError("other"), RuntimeError),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_what_the_server_says_is_told_apart(broken: Any, error: Exception, expected: type[Exception]) -> None:
    broken.on_send = error
    with pytest.raises(expected):
        EmailDelivery().send(make_outgoing())
    assert mail.outbox == []


def test_server_that_is_away_is_tried_again(broken: Any) -> None:
    broken.on_open = TimeoutError("nobody there")
    with pytest.raises(TimeoutError):
        EmailDelivery().send(make_outgoing())


def test_address_with_a_line_break_is_refused() -> None:
    user = User(pk=7, email="a@example.com\nBcc: b@example.com")
    with pytest.raises(DeliveryRefused):
        EmailDelivery().send(make_outgoing(user=user))


@pytest.mark.parametrize(
    "options", [{"digest_s": -1}, {"digest_s": float("inf")}, {"reply_to": "a@example.com"}], ids=str
)
def test_wrong_options_are_refused(options: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        EmailDelivery(**options)
