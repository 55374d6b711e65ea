"""Connections to hosts of the public internet only, whatever names or resolvers say.

A URL that people may set must not reach what only this server can: its own services, its network, a cloud's metadata.
So the addresses of a name are looked at, and the connection goes to one that was looked at: a name that answers
otherwise the next time changes nothing.
"""

from __future__ import annotations

import io
import socket
import ssl
import time
from http.client import HTTPConnection, HTTPSConnection
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any
from urllib.parse import SplitResult, urlsplit

PORTS = {"http": 80, "https": 443}
# Protocol assignments and 6to4 relays (RFC 6890; RFC 7526), public to some versions of Python.
_OTHERS = (ip_network("192.0.0.0/24"), ip_network("192.88.99.0/24"))


class PrivateAddress(Exception):
    """A host has an address that is not of the public internet."""


def clean_http_url(url: Any) -> SplitResult:
    """The parts of an http(s) URL with a host, and without a login in it.

    Raises:
        ValueError: It is none. The message does not repeat it: there may be a secret in it.
    """
    expected = "a URL is not valid; http(s)://host/path is expected, without a login."
    if not isinstance(url, str) or url != url.strip():
        raise ValueError(expected)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError(expected) from None
    if parts.scheme not in PORTS or not parts.hostname or "@" in parts.netloc or port == 0:
        raise ValueError(expected)
    return parts


def is_public(address: str) -> bool:
    """Whether an address belongs to the public internet, and to it alone.

    Those that stand for an IPv4 address (mapped, 6to4, Teredo, NAT64) do not count: no public service needs them.
    """
    # Without the zone of a link-local one.
    found = ip_address(address.partition("%")[0])
    if isinstance(found, IPv6Address) and (found.is_site_local or found.sixtofour or found.teredo):
        return False
    if any(found in network for network in _OTHERS):
        return False
    # Reserved: ::/8 with mapped and NAT64 ones, 240.0.0.0/4, and what nobody has been given yet.
    return found.is_global and not (found.is_multicast or found.is_reserved or found.is_unspecified)


def connect(parts: SplitResult, *, timeout_s: float, allow_private: bool) -> HTTPConnection:
    """A connection to the host of a URL, open, which ends with an error ``timeout_s`` from now, whatever the host does.

    Raises:
        PrivateAddress: The host has an address that is not public, whichever it would connect to.
        OSError: There is no such host, or it does not answer.
    """
    deadline = time.monotonic() + timeout_s
    host, port = str(parts.hostname), parts.port or PORTS[parts.scheme]
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [sockaddr for *_, sockaddr in found]
    if not allow_private and not all(is_public(str(sockaddr[0])) for sockaddr in addresses):
        raise PrivateAddress(f"{host} has an address that is not public.")
    plain: socket.socket = _connect_to_any(addresses, deadline)
    if parts.scheme == "http":
        connection = HTTPConnection(host, port)
    else:
        context = ssl.create_default_context()
        connection = HTTPSConnection(host, port, context=context)
        try:
            plain.settimeout(_left(deadline))
            plain = context.wrap_socket(plain, server_hostname=host)
        except BaseException:
            plain.close()
            raise
    connection.sock = _Timed(plain, deadline)
    return connection


def _connect_to_any(addresses: list[Any], deadline: float) -> socket.socket:
    error: OSError = OSError("The host has no address.")
    for number, sockaddr in enumerate(addresses):
        try:
            # The numbers that were looked at, not the name. Each gets its share of the time.
            return socket.create_connection(sockaddr[:2], timeout=_left(deadline) / (len(addresses) - number))
        except OSError as caught:
            error = caught
    raise error


def _left(deadline: float) -> float:
    if (left := deadline - time.monotonic()) <= 0:
        raise TimeoutError("The host took too long.")
    return left


class _Timed:
    """What ``http.client`` needs of a socket, with one deadline for all: a host that sends a byte now and then ends."""

    def __init__(self, plain: socket.socket, deadline: float) -> None:
        self._plain = plain
        self._deadline = deadline

    def sendall(self, data: Any) -> None:
        self._plain.settimeout(_left(self._deadline))
        self._plain.sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_TimedReader(self._plain, self._deadline))

    def close(self) -> None:
        self._plain.close()


class _TimedReader(io.RawIOBase):
    def __init__(self, plain: socket.socket, deadline: float) -> None:
        super().__init__()
        self._plain = plain
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._plain.settimeout(_left(self._deadline))
        return self._plain.recv_into(buffer)
