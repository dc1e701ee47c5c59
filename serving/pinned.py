"""One POST to a URL that somebody else chose: to an address that was looked at first, and to no other."""

import logging
import re
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any
from urllib.parse import SplitResult, urlsplit

TIMEOUT_SECONDS = 15.0
MAX_ANSWER_BYTES = 64 * 1024
MAX_URL = 2_000
_PORTS = {"https": 443, "http": 80}
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?\.?")
_PRINTABLE = re.compile(r"[!-~]+")
_NOT_TO_BE_CALLED = tuple(
    ip_network(network)
    for network in (
        "192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32",
        "64:ff9b::/96", "64:ff9b:1::/48", "2001::/32", "2002::/16", "::/96", "fec0::/10", "3fff::/20",
    )
)  # fmt: skip
"""Beside what `ipaddress` knows: protocol assignments, addresses of IPv6 that lead to one of IPv4 by a detour, the site's own of IPv6 as it was
first, documentation's, and the one public address under which a cloud (Azure) answers its own machines."""

Address = IPv4Address | IPv6Address


class Refused(Exception):
    """The request is not made; `str(error)` says why."""


@dataclass(frozen=True, slots=True)
class Target:
    """A URL taken apart. `path` has the query with it."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def named(self) -> str:
        """What the Host header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def target_of(url: str, allow_private: bool) -> Target:
    """The URL, looked at without asking anybody: scheme, host, and, where the host is an address, whether it may be called. Raises Refused."""
    if len(url) > MAX_URL or not _PRINTABLE.fullmatch(url):
        raise Refused(f"a URL must have at most {MAX_URL:,} characters, none of them a blank or outside ASCII; write other names as xn--...")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Refused("this is no URL that can be called; it must be like https://host/path") from None
    host = _host_of(parts)
    if _is_address(host):
        _check(ip_address(host), allow_private)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, _PORTS[parts.scheme] if port is None else port, path)


def _host_of(parts: SplitResult) -> str:
    if parts.scheme not in _PORTS:
        raise Refused("a URL must begin with https:// or http://")
    if "@" in parts.netloc or "\\" in parts.netloc:
        raise Refused("a URL must not hold a user or a password: what is sent is signed, that is how the receiver knows it")
    host = parts.hostname or ""
    if not (_HOST.fullmatch(host) or _is_address(host)):
        raise Refused("a URL must name a host, as in https://host/path")
    return host


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def is_public(address: Address) -> bool:
    """Whether the address is one of the internet at large: not private, loopback, link-local, shared (CGNAT), multicast or reserved, also not by way
    of an IPv4 address within an IPv6 one."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return is_public(address.ipv4_mapped)
    if any(address in network for network in _NOT_TO_BE_CALLED):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved)


def _check(address: Address, allow_private: bool) -> None:
    if not allow_private and not is_public(address):
        raise Refused("the host is an address of a private network; allow_private in funnel.toml, [webhooks], lets them be called")


def addresses_of(target: Target, allow_private: bool) -> list[str]:
    """The host's addresses, asked for once. Raises Refused where there are none, or where any of them may not be called."""
    try:
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise Refused("the host's name has no address") from None
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    for address in addresses:
        _check(ip_address(address.partition("%")[0]), allow_private)
    return addresses


def post(url: str, headers: Mapping[str, str], body: bytes, allow_private: bool, seconds: float = TIMEOUT_SECONDS) -> int:
    """The status of the answer, of which at most `MAX_ANSWER_BYTES` are read and no redirect is followed. Raises Refused, and OSError or urllib3's
    HTTPError where the connection fails or all of it takes longer than `seconds`. Proxies of the environment are not used."""
    until = time.monotonic() + seconds
    target = target_of(url, allow_private)
    connection = _connected(target, addresses_of(target, allow_private), until)
    expired = threading.Event()
    watch = threading.Timer(max(0.0, until - time.monotonic()), _cut, (connection, expired))
    watch.daemon = True
    watch.start()
    try:
        connection.request("POST", target.path, body=body, headers={"Host": target.named, **headers}, preload_content=False)
        answer = connection.getresponse()
        status = int(answer.status)
        _read(answer)
    except Exception:
        _check_time(expired, seconds)
        raise
    finally:
        watch.cancel()
        connection.close()
    _check_time(expired, seconds)  # an answer that was cut may look whole
    return status


def _check_time(expired: threading.Event, seconds: float) -> None:
    if expired.is_set():
        raise TimeoutError(f"no whole answer within {seconds:g} s") from None


def _read(answer: Any) -> None:
    """As much as a receiver may say; an answer that is longer is cut, its status counts all the same."""
    left = MAX_ANSWER_BYTES
    while left > 0 and (part := answer.read(min(left, 8_192), decode_content=False)):
        left -= len(part)


def _connected(target: Target, addresses: list[str], until: float) -> Any:
    """A connection to the first of the addresses that takes one; the certificate must be the host's."""
    for place, address in enumerate(addresses):
        left = until - time.monotonic()
        if left <= 0:
            break
        connection = _connection(target, address, left / (len(addresses) - place))
        try:
            connection.connect()
            connection.sock.settimeout(max(0.1, until - time.monotonic()))
            return connection
        except Exception:
            connection.close()
            if place == len(addresses) - 1:
                raise
    raise TimeoutError("no connection in time")


def _connection(target: Target, address: str, seconds: float) -> Any:
    from urllib3.connection import HTTPConnection, HTTPSConnection

    logging.getLogger("urllib3").setLevel(logging.ERROR)
    if target.scheme == "http":
        return HTTPConnection(address, target.port, timeout=seconds)
    return HTTPSConnection(
        address,
        target.port,
        timeout=seconds,
        ssl_context=ssl.create_default_context(),
        server_hostname=target.host.rstrip("."),
        assert_hostname=target.host.rstrip("."),
    )


def _cut(connection: Any, expired: threading.Event) -> None:
    """Ends whatever waits for the socket: a receiver that sends a byte a second would never run into a socket's own timeout."""
    expired.set()
    if connection.sock is not None:
        try:
            connection.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            return
