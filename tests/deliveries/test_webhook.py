"""A webhook is a signed POST over real HTTP, and reaches nothing that is not public unless it may."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from channels_progress.exceptions import DeliveryNotNeeded, DeliveryRefused
from channels_progress.notifications.deliveries import OutgoingNotification
from channels_progress.notifications.deliveries.public_hosts import is_public
from channels_progress.notifications.deliveries.webhook import WebhookDelivery
from tests.deliveries.people import UID, make_outgoing
from tests.deliveries.receiver import Receiver, run_receiver
from tests.store.test_addresses import make_certificate

SECRET = "whsec_" + base64.b64encode(b"twenty-four random bytes").decode()
PRIVATE = """
10.1.2.3 172.16.0.1 192.168.1.1 127.0.0.1 169.254.169.254 100.64.0.1 0.0.0.0 224.0.0.1 240.0.0.1 255.255.255.255
192.0.0.8 192.0.2.1 192.88.99.1 198.18.0.1 ::1 :: fe80::1%eth0 fc00::1 fec0::1 fd00:ec2::254 ::ffff:8.8.8.8
::ffff:127.0.0.1 64:ff9b::7f00:1 64:ff9b:1::1 2002:7f00:1:: 2001:0:1::1 ::7f00:1 2001:db8::1 ff02::1
"""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with run_receiver() as receiver:
        yield receiver


def make(url: str, **options: Any) -> WebhookDelivery:
    delivery = WebhookDelivery(url=url, **{"allow_private": True, "timeout_s": 30, **options})
    delivery.name = "hook"
    return delivery


def find_none(notification: OutgoingNotification) -> None:
    """An address finder for somebody who has none."""


def shout(notification: OutgoingNotification) -> dict[str, str]:
    """A body of a project's own."""
    return {"text": notification.text.upper()}


def test_request_holds_what_was_said(receiver: Receiver) -> None:
    make(f"{receiver.url}/hooks/a b?key=ü").send(make_outgoing())
    [request] = receiver.received
    assert request.path == "/hooks/a%20b?key=%C3%BC"
    assert json.loads(request.body) == {
        "uid": str(UID), "user": "7", "text": "Paid", "level": "info", "kind": "orders", "action": "",
        "url": "https://example.com/orders/1/", "model": "", "object_pk": "", "instance": None, "changed": {},
        "data": {"sum": 3}, "created_at": "2026-01-02T03:04:05Z",
    }  # fmt: skip
    assert request.headers["content-type"] == "application/json"
    assert "webhook-signature" not in request.headers


@pytest.mark.parametrize(
    ("secret", "key"), [(SECRET, b"twenty-four random bytes"), ("any text", b"any text")], ids=["whsec", "text"]
)
def test_signature_is_that_of_standard_webhooks(receiver: Receiver, secret: str, key: bytes) -> None:
    make(receiver.url, secret=secret).send(make_outgoing())
    [request] = receiver.received
    assert request.headers["webhook-id"] == f"hook.{UID}"
    signed = f"hook.{UID}.{request.headers['webhook-timestamp']}.".encode() + request.body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert request.headers["webhook-signature"] == f"v1,{expected}"


def test_body_and_headers_may_be_ones_own(receiver: Receiver) -> None:
    make(receiver.url, body=f"{__name__}.shout", headers={"X-Site": "a"}).send(make_outgoing())
    [request] = receiver.received
    assert (json.loads(request.body), request.headers["x-site"]) == ({"text": "PAID"}, "a")


@pytest.mark.parametrize(
    ("status", "error"),
    [
        *((status, None) for status in (200, 204)),
        *((status, DeliveryRefused) for status in (301, 307, 400, 410)),
        *((status, ConnectionError) for status in (408, 425, 429, 500, 503)),
    ],
)
def test_status_says_how_it_went(receiver: Receiver, status: int, error: type[Exception] | None) -> None:
    receiver.answers = [status]
    if error:
        with pytest.raises(error, match=rf"^127\.0\.0\.1 answered {status}\."):
            make(receiver.url).send(make_outgoing())
    else:
        make(receiver.url).send(make_outgoing())
    assert [request.path for request in receiver.received] == ["/"]


def test_whoever_has_no_url_is_not_sent_anything() -> None:
    with pytest.raises(DeliveryNotNeeded):
        make(f"{__name__}.find_none").send(make_outgoing())


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"]
)
def test_private_host_is_not_reached(receiver: Receiver, host: str) -> None:
    url = receiver.url.replace("127.0.0.1", host)
    with pytest.raises(DeliveryRefused, match="has an address that is not public"):
        make(url, allow_private=False).send(make_outgoing())
    assert receiver.received == []


def test_name_with_one_private_address_is_not_reached(receiver: Receiver, monkeypatch: Any) -> None:
    found = [(2, 1, 6, "", ("8.8.8.8", 80)), (2, 1, 6, "", ("127.0.0.1", int(receiver.url.rpartition(":")[2])))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: found)
    with pytest.raises(DeliveryRefused, match=r"^mixed\.example has an address that is not public"):
        make("http://mixed.example", allow_private=False).send(make_outgoing())
    assert receiver.received == []


def test_connection_goes_to_the_address_that_was_looked_at(monkeypatch: Any) -> None:
    """A name server that answers otherwise the second time (DNS rebinding) changes nothing."""
    asked, connected = [], []

    def resolve(host: str, port: int, **kwargs: Any) -> list[Any]:
        asked.append(host)
        address = "93.184.216.34" if len(asked) == 1 else "127.0.0.1"
        return [(2, 1, 6, "", (address, port))]

    def create_connection(address: Any, timeout: float) -> socket.socket:
        connected.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket, "create_connection", create_connection)
    with pytest.raises(ConnectionRefusedError):
        make("http://rebinding.example/", allow_private=False).send(make_outgoing())
    assert (asked, connected) == (["rebinding.example"], [("93.184.216.34", 80)])


@pytest.mark.parametrize("address", PRIVATE.split())
def test_address_that_is_not_public_is_none(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.216.34", "2606:4700::1111"])
def test_public_address_is_one(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url", ["ftp://h/", "file:///etc/passwd", "http://", "http://u:p@h/", "http://h:99999/", " http://h/", "http://[h/"]
)
def test_url_that_is_none_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ValueError, match=r"^a URL is not valid; http\(s\)://host/path is expected, without a login\.$"):
        make(url)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_%%%"])
def test_secret_that_is_none_is_refused(secret: str) -> None:
    with pytest.raises(ValueError, match=r"^secret is "):
        make("http://h/", secret=secret)


@pytest.fixture
def secure_receiver(tmp_path: Path) -> Iterator[Receiver]:
    make_certificate(tmp_path)
    with run_receiver(tmp_path / "cert.pem") as receiver:
        yield receiver


def test_request_goes_over_tls(secure_receiver: Receiver, tmp_path: Path, monkeypatch: Any) -> None:
    context = ssl.create_default_context(cafile=tmp_path / "cert.pem")
    monkeypatch.setattr(ssl, "create_default_context", lambda: context)
    make(secure_receiver.url).send(make_outgoing())
    [request] = secure_receiver.received
    assert request.headers["host"] == secure_receiver.url.removeprefix("https://")


def test_host_that_cannot_say_who_it_is_gets_nothing(secure_receiver: Receiver) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        make(secure_receiver.url).send(make_outgoing())
    assert secure_receiver.received == []


def test_host_that_sends_a_byte_now_and_then_ends() -> None:
    """Every byte is within any timeout of a single read; all of them together are not."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        stopped = threading.Event()

        def drip() -> None:
            accepted, _ = listening.accept()
            with closing(accepted):
                accepted.sendall(b"HTTP/1.1 200 OK\r\nX: ")
                while not stopped.wait(0.05):
                    try:
                        accepted.sendall(b"x")
                    except OSError:
                        return

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        with pytest.raises(TimeoutError):
            make(f"http://127.0.0.1:{listening.getsockname()[1]}/", timeout_s=0.5).send(make_outgoing())
        stopped.set()
        thread.join()


def test_answer_that_is_no_http_is_tried_again() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:

        def answer() -> None:
            accepted, _ = listening.accept()
            with closing(accepted):
                accepted.recv(65_536)
                accepted.sendall(b"secret internal banner\r\n")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        with pytest.raises(ConnectionError, match=r"^127\.0\.0\.1 did not answer as HTTP has it: BadStatusLine$"):
            make(f"http://127.0.0.1:{listening.getsockname()[1]}/").send(make_outgoing())
        thread.join()
