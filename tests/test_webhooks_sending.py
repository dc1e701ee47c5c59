"""Webhooks on the wire: a real receiver on this machine, signatures, addresses that must not be called, receivers that misbehave."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from data import deliveries, webhooks
from data.deliveries import BACKOFF, IN_FLIGHT
from data.home import clock
from data.store import Store, open_store
from receiver import Received, Receiver, receiving
from serving import pinned
from serving.pinned import Refused, is_public, post, target_of
from serving.webhooks import Dispatcher

FORBIDDEN = (
    "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.5", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "100.127.255.255",
    "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.7", "192.0.0.8", "192.88.99.1",
    "::", "::1", "fe80::1", "fc00::1", "fd12::1", "ff02::1", "::ffff:10.0.0.5", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1",
    "64:ff9b::a00:5", "64:ff9b:1::a00:5", "2002:7f00:1::", "2001:0:7f00:1::", "2001:db8::1", "100::1",
    "168.63.129.16", "::ffff:168.63.129.16", "fec0::1", "feff::1", "3fff::1", "::ffff:0:7f00:1",
)  # fmt: skip
ALLOWED = ("8.8.8.8", "1.1.1.1", "172.15.255.255", "172.32.0.0", "100.63.255.255", "100.128.0.0", "2606:4700::1111", "::ffff:8.8.8.8")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(f"sqlite:///{tmp_path / 'leadscore.db'}") as opened:
        yield opened


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@pytest.fixture
def dispatching(store: Store) -> Iterator[Callable[..., Dispatcher]]:
    """Starts a dispatcher's loop; all are ended with the test."""
    stop, threads = threading.Event(), []

    def start(allow_private: bool = True) -> Dispatcher:
        dispatcher = Dispatcher(store, allow_private=lambda: allow_private)
        threads.append(threading.Thread(target=dispatcher.run, args=(stop,)))
        threads[-1].start()
        return dispatcher

    yield start
    stop.set()
    for thread in threads:
        thread.join()


def endpoint(store: Store, url: str, type: str = "score.changed") -> str:
    return webhooks.add_endpoint(store, url, (type,), None, clock())[0]


def tell(store: Store, n: int = 1, type: str = "score.changed") -> None:
    with store.writing.begin() as connection:
        for i in range(n):
            webhooks.enqueue(connection, type, f"L-{i}", {"lead_id": f"L-{i}", "grade": "Å"}, clock())


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "not reached"
        time.sleep(0.02)


def all_are(store: Store, state: str) -> bool:
    return {d.state for d in deliveries.deliveries(store, None, 100)} == {state}


def attempted(store: Store) -> deliveries.Delivery:
    until(lambda: deliveries.deliveries(store, None, 1)[0].attempts > 0)
    return deliveries.deliveries(store, None, 1)[0]


def test_what_arrives_is_verified_by_the_standard_s_own_library(store: Store, receiver: Receiver, dispatching: Callable[..., Dispatcher]) -> None:
    secret = endpoint(store, receiver.url)
    tell(store)
    dispatching()
    until(lambda: all_are(store, "delivered"))
    (got,) = receiver.requests
    assert Webhook(secret).verify(got.body, got.headers)["data"] == {"lead_id": "L-0", "grade": "Å"}
    assert got.headers["webhook-id"] == deliveries.deliveries(store, None, 1)[0].id
    assert (got.headers["content-type"], got.headers["host"]) == ("application/json", f"127.0.0.1:{receiver.port}")
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(got.body + b" ", got.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(endpoint(store, receiver.url)).verify(got.body, got.headers)


def test_after_a_rotation_either_secret_verifies(store: Store, receiver: Receiver, dispatching: Callable[..., Dispatcher]) -> None:
    old = endpoint(store, receiver.url)
    rotated = webhooks.rotate(store, webhooks.endpoints(store)[0].id, clock())
    assert rotated is not None
    tell(store)
    dispatching()
    until(lambda: all_are(store, "delivered"))
    (got,) = receiver.requests
    for secret in (old, rotated[0]):
        Webhook(secret).verify(got.body, got.headers)


def test_a_failure_is_tried_again_with_the_same_id_and_a_new_time(store: Store, receiver: Receiver, dispatching: Callable[..., Dispatcher]) -> None:
    receiver.answer = lambda _: (503, {}, b"")
    secret = endpoint(store, receiver.url)
    tell(store)
    dispatching()
    failed = attempted(store)
    assert (failed.state, failed.last_status, failed.last_error) == ("pending", 503, "the receiver answered 503")
    receiver.answer = lambda _: (200, {}, b"")
    until(lambda: all_are(store, "delivered"))
    first, second = receiver.requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert int(second.headers["webhook-timestamp"]) - int(first.headers["webhook-timestamp"]) >= BACKOFF[0] // 1_000_000
    Webhook(secret).verify(second.body, second.headers)


def test_gone_disables(store: Store, receiver: Receiver, dispatching: Callable[..., Dispatcher]) -> None:
    receiver.answer = lambda _: (410, {}, b"")
    endpoint(store, receiver.url)
    tell(store)
    dispatching()
    until(lambda: all_are(store, "dead"))
    assert webhooks.endpoints(store)[0].disabled_at is not None


def test_a_redirect_is_a_failure_and_not_followed(store: Store, receiver: Receiver, dispatching: Callable[..., Dispatcher]) -> None:
    receiver.answer = lambda _: (302, {"location": f"http://127.0.0.1:{receiver.port}/elsewhere"}, b"")
    endpoint(store, receiver.url)
    tell(store)
    dispatching()
    assert attempted(store).last_error == "the receiver answered 302"
    assert [request.path for request in receiver.requests] == ["/hook"]


def test_a_slow_endpoint_holds_up_nobody_else(store: Store, receiver: Receiver, dispatching: Callable[..., Dispatcher]) -> None:
    let_go = threading.Event()

    def slow(_: Received) -> tuple[int, dict[str, str], bytes]:
        let_go.wait(20)
        return 200, {}, b""

    receiver.answer = slow
    endpoint(store, receiver.url)
    tell(store, 12)
    with receiving() as quick:
        endpoint(store, quick.url, "stage.recommended")
        tell(store, 12, "stage.recommended")
        for _ in range(2):
            dispatching()
        until(lambda: len(quick.requests) == 12)
        assert receiver.most_at_once == IN_FLIGHT
        let_go.set()
        until(lambda: all_are(store, "delivered"))
    assert receiver.most_at_once == IN_FLIGHT
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == len(receiver.requests) == 12


def test_a_private_address_is_a_failure_with_that_reason(store: Store, receiver: Receiver, dispatching: Callable[..., Dispatcher]) -> None:
    endpoint(store, f"http://localhost:{receiver.port}/hook")
    tell(store)
    dispatching(allow_private=False)
    failed = attempted(store)
    assert failed.state == "pending"
    assert "private network" in (failed.last_error or "")
    assert receiver.requests == []


@pytest.mark.parametrize("address", FORBIDDEN)
def test_addresses_that_are_not_of_the_internet_are_not_called(address: str) -> None:
    url = f"https://[{address}]/" if ":" in address else f"https://{address}/"
    assert not is_public(ip_address(address))
    with pytest.raises(Refused, match="private network"):
        target_of(url, allow_private=False)
    assert target_of(url, allow_private=True).host == address


@pytest.mark.parametrize("address", ALLOWED)
def test_addresses_of_the_internet_are(address: str) -> None:
    assert is_public(ip_address(address))


@given(st.ip_addresses(v=4))
def test_an_address_within_another_is_judged_as_itself(address: IPv4Address) -> None:
    assert is_public(IPv6Address(f"::ffff:{address}")) == is_public(address)


@pytest.mark.parametrize("name", ["0x7f.1", "2130706433", "0177.0.0.1", "127.1", "localhost", "localhost."])
def test_other_ways_to_write_this_machine_are_seen_through_when_the_name_is_resolved(name: str) -> None:
    with pytest.raises(Refused):
        post(f"http://{name}:9/", {}, b"{}", allow_private=False)


@pytest.mark.parametrize(
    "url",
    ["ftp://a.example/", "gopher://a.example/", "a.example/hook", "https://", "https:///x", "https://u:p@a.example/", "https://u@a.example/",
     "https://a.example\\@b.example/", "https://a b.example/", "https://ä.example/", "https://a.example:99999/", "https://a.example:x/",
     "https://a.example/\r\nhost: b", "javascript:alert(1)", "https://[::1", "https://-a.example/", "https://" + "a" * 2_000],
)  # fmt: skip
def test_urls_that_are_none_are_refused(url: str) -> None:
    with pytest.raises(Refused):
        target_of(url, allow_private=True)


@given(st.text(max_size=60))
def test_any_text_is_a_target_or_refused(text: str) -> None:
    for url in (text, f"https://{text}", f"http://a.example{text}"):
        try:
            target = target_of(url, allow_private=False)
        except Refused:
            continue
        assert target.scheme in ("http", "https")
        assert not set(target.named + target.path) & set(" \r\n")


def test_every_address_of_a_name_is_looked_at_and_the_connection_goes_to_one_that_was(monkeypatch: pytest.MonkeyPatch, receiver: Receiver) -> None:
    """The resolver is the one thing here that is not real: it answers as an attacker's would, publicly first and privately later."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def resolve(host: str, port: int, *rest: object, **more: object) -> object:
        if host != "hooks.example.com":
            return real(host, port, *rest, **more)  # type: ignore[arg-type]
        asked.append(host)
        answers = ["8.8.8.8", "10.0.0.5"] if len(asked) == 1 else ["127.0.0.1"]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in answers]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(Refused, match="private network"):
        post("http://hooks.example.com/", {}, b"{}", allow_private=False)
    assert asked == ["hooks.example.com"]
    assert post(f"http://hooks.example.com:{receiver.port}/a?b=c", {}, b"{}", allow_private=True) == 200
    assert asked == ["hooks.example.com"] * 2
    (got,) = receiver.requests
    assert (got.path, got.headers["host"]) == ("/a?b=c", f"hooks.example.com:{receiver.port}")


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch, receiver: Receiver) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert post(receiver.url, {}, b"{}", allow_private=True) == 200


def test_an_answer_without_an_end_is_read_only_so_far(receiver: Receiver) -> None:
    receiver.answer = lambda _: (200, {"content-length": str(10**12)}, b"x" * (2 * pinned.MAX_ANSWER_BYTES))
    assert post(receiver.url, {}, b"{}", allow_private=True, seconds=5) == 200


@pytest.mark.parametrize("drip", [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n"])
def test_a_receiver_that_drips_is_cut_off(drip: bytes) -> None:
    """Each byte comes well within a socket's timeout; only the time in all ends it."""
    over = threading.Event()

    def serve(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection:
            connection.sendall(drip)
            while not over.wait(0.05):
                try:
                    connection.sendall(b"x")
                except OSError:
                    return

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, args=(listening,))
        thread.start()
        with pytest.raises(TimeoutError, match=r"within 0.4 s"):
            post(f"http://127.0.0.1:{listening.getsockname()[1]}/", {}, b"{}", allow_private=True, seconds=0.4)
        over.set()
        thread.join()


def test_the_certificate_must_be_the_host_s_although_the_address_is_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate(tmp_path, "localhost"))
    with receiving(context) as receiver:
        url = f"https://localhost:{receiver.port}/hook"
        with pytest.raises(Exception, match="certificate"):
            post(url, {}, b"{}", allow_private=True)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "localhost.pem"))
        assert post(url, {}, b"{}", allow_private=True) == 200
        with pytest.raises(Exception, match=r"127\.0\.0\.1"):
            post(receiver.url, {}, b"{}", allow_private=True)


def certificate(folder: Path, name: str) -> Path:
    """A self-signed one for that name, key and all."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), 1, now - timedelta(days=1), now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


def test_nothing_that_a_receiver_says_is_kept_but_its_status(store: Store, receiver: Receiver, dispatching: Callable[..., Dispatcher]) -> None:
    receiver.answer = lambda _: (500, {}, b"secret of the receiver")
    endpoint(store, receiver.url)
    tell(store)
    dispatching()
    assert b"secret of the receiver" not in orjson.dumps(attempted(store).last_error)
