"""Who may call: keys with scopes, or, while no key exists, nothing but this machine itself."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import ip_address
from itertools import islice
from typing import TypeVar

from sqlalchemy.exc import SQLAlchemyError

from data.home import clock
from data.store import ApiKey, Store
from serving.errors import Forbidden, MalformedBody, StoreDown, TooManyRequests, Unauthorized
from serving.limits import Buckets, neighbourhood

FRESH_SECONDS = 3.0
"""How long an answer of the store about a key is trusted: so long may a revoked key live on."""

PATIENCE_SECONDS, PATIENCE_WITH_AN_ANSWER = 1.0, 0.2
"""How long a store that does not answer is waited for: for less where its last answer will do."""

USE_NOTED_EVERY = 60_000_000
"""Micros. A key's last use is written at most this often."""

GUESSES_PER_SECOND, GUESSES_AT_ONCE = 20.0, 20.0
"""Wrong keys that one address may try: each costs a question to the store."""

MOST_KEYS = 10_000
JSON = "application/json"
NDJSON = "application/x-ndjson"

LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
FORWARDING = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-port", "x-real-ip", "via")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Held:
    key: ApiKey | None
    asked: float


def is_loopback(host: str) -> bool:
    """Whether a service that listens on `host` is reached from its own machine only."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class Gate:
    """Tells who calls, and whether they may. What the store said is remembered for `FRESH_SECONDS`, and for as long as the store is down."""

    def __init__(self, store: Store, host: str, rate_per_second: float = 2_000, burst: float = 4_000) -> None:
        self._store = store
        self._loopback = is_loopback(host)
        self._held: dict[bytes, _Held] = {}
        self._by_id: dict[int, _Held] = {}
        self._keyless: tuple[bool, float] | None = None
        self._rate = rate_per_second
        self._calls = Buckets(rate_per_second, burst)
        self._guesses = Buckets(GUESSES_PER_SECOND, GUESSES_AT_ONCE)

    def learn(self) -> None:
        """Asks for all keys at once; blocking. So a process that has just started knows them also where the store goes before the first call."""
        asked = time.monotonic()
        self._keyless = (not self._store.has_keys(), asked)
        self._held = {digest: _Held(key, asked) for digest, key in islice(self._store.living_keys().items(), MOST_KEYS)}
        self._by_id = {held.key.id: held for held in self._held.values() if held.key is not None}

    async def identify(self, headers: Mapping[str, str], address: str = "") -> ApiKey | None:
        """Whose key this is; None while no key exists and the service is this machine's own. `headers` by lower-case name, `address` of the client.

        Raises Unauthorized, TooManyRequests (too many wrong keys) or StoreDown.
        """
        given = headers.get("authorization")
        if given is not None:
            return await self._key(given, neighbourhood(address))
        if self._loopback and await self._no_key_exists():
            return None
        raise Unauthorized("this call needs a key: send `Authorization: Bearer KEY`. `leadscore keys create` makes one.")

    async def living(self, id: int) -> ApiKey:
        """The key of that id, which a browser's session was begun with. Raises Unauthorized where it was revoked, or StoreDown."""
        held = self._by_id.get(id)
        if held is None or time.monotonic() - held.asked > FRESH_SECONDS:
            held = _Held(await _asked(lambda: self._noted(self._store.living_key(id)), held.key if held else None), time.monotonic())
            self._by_id[id] = held
        if held.key is None:
            raise Unauthorized("the key that this session was begun with was revoked. Sign in with another one.")
        return held.key

    def permit(self, caller: ApiKey | None, method: str, headers: Mapping[str, str], scope: str, kinds: tuple[str, ...] = (JSON,)) -> None:
        """Raises TooManyRequests, Forbidden, or MalformedBody (a body of none of the `kinds` that the call takes)."""
        self._count(caller)
        if caller is None:
            _check_local(headers)
        else:
            _check_scope(caller, scope)
        _check_kind(method, headers, kinds, keyless=caller is None)

    def _count(self, key: ApiKey | None) -> None:
        wait = self._calls.take(key and key.id, time.monotonic())
        if wait:
            raise TooManyRequests(
                f"{'this key' if key else 'a service without keys'} may make {self._rate:,g} calls a second and made more. "
                "Try again after the seconds that Retry-After tells.",
                wait,
            )

    async def _key(self, given: str, address: str) -> ApiKey:
        scheme, _, secret = given.partition(" ")
        secret = secret.strip()
        if scheme.lower() != "bearer" or not secret:
            raise Unauthorized("the Authorization header must read `Bearer KEY`.")
        digest = sha256(secret.encode("utf-8", "surrogateescape")).digest()
        held = self._held.get(digest)
        if held is None or time.monotonic() - held.asked > FRESH_SECONDS:
            if held is None:
                self._limit_guesses(address)
            held = _Held(await _asked(lambda: self._look_up(secret), held.key if held else None), time.monotonic())
            self._remember(digest, held)
        if held.key is None:
            self._guesses.take(address, time.monotonic())
            raise Unauthorized("this key is not known or was revoked. `leadscore keys list` shows the living ones.")
        return held.key

    def _limit_guesses(self, address: str) -> None:
        """A key that was good a moment ago is no guess: whoever shares its address with a guesser goes on."""
        wait = self._guesses.wait(address, time.monotonic())
        if wait:
            raise TooManyRequests("too many wrong keys came from this address. Try again after the seconds that Retry-After tells.", wait)

    def _remember(self, digest: bytes, held: _Held) -> None:
        if held.key is None:
            self._held.pop(digest, None)
        elif digest in self._held or len(self._held) < MOST_KEYS:
            self._held[digest] = held

    def _look_up(self, secret: str) -> ApiKey | None:
        return self._noted(self._store.key_by_secret(secret))

    def _noted(self, key: ApiKey | None) -> ApiKey | None:
        """The key, its use written down."""
        if key is not None and clock() - (key.last_used_at or 0) > USE_NOTED_EVERY:
            with contextlib.suppress(SQLAlchemyError):
                self._store.touch_key(key.id)
        return key

    async def _no_key_exists(self) -> bool:
        held = self._keyless
        if held is None or time.monotonic() - held[1] > FRESH_SECONDS:
            keyless = await _asked(lambda: not self._store.has_keys(), held and held[0])
            self._keyless = held = (keyless, time.monotonic())
        return held[0]


async def _asked(question: Callable[[], T], last: T | None) -> T:
    """The store's answer; the last one while the store is down or slow, StoreDown where there is none."""
    try:
        return await asyncio.wait_for(asyncio.to_thread(question), PATIENCE_SECONDS if last is None else PATIENCE_WITH_AN_ANSWER)
    except (SQLAlchemyError, TimeoutError):
        if last is None:
            raise StoreDown("the operational store does not answer, so the key can't be checked. Try again shortly.") from None
        return last


def _check_scope(key: ApiKey, scope: str) -> None:
    if not key.scopes & {scope, "admin"}:
        raise Forbidden(f"this call needs the scope {scope}; the key has {', '.join(sorted(key.scopes))}. Use or create another key.")


def _check_local(headers: Mapping[str, str]) -> None:
    """No key exists: a web page, a proxy or another machine must not pass for the user of this one."""
    name = _host_name(headers.get("host", ""))
    if name not in LOCAL_NAMES:
        raise Forbidden(
            "while no key exists this service answers only to the Host header localhost, 127.0.0.1 or [::1]. "
            "Call it so, or make a key with `leadscore keys create`."
        )
    through = next((header for header in FORWARDING if header in headers), None)
    if through is not None:
        raise Forbidden(
            f"while no key exists this service answers no proxy, and this call has the header {through}. "
            "Call it directly, or make a key with `leadscore keys create`."
        )


def _host_name(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdigit() else host).lower()


def _check_kind(method: str, headers: Mapping[str, str], kinds: tuple[str, ...], *, keyless: bool) -> None:
    """A form of another site can't declare JSON; without a key that is what tells it from a program of this machine."""
    sends = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
    if not sends and not (keyless and method == "POST"):
        return
    if headers.get("content-type", "").partition(";")[0].strip().lower() not in kinds:
        raise MalformedBody(f"the body must be JSON and say so: send the header {' or '.join(f'`Content-Type: {kind}`' for kind in kinds)}.")
