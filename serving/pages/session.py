"""Who sits at the browser: a session in a signed cookie, begun with an API key and ended by that key's revocation, and the token of its forms.

The cookie names the key and never holds it. What signs it is a file of this instance, not a row of the store: as with the keys themselves, whoever
reads the store can call nothing with what is read.
"""

import hmac
import os
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Self

from data.contract import DataError
from data.store import ApiKey

COOKIE = "leadscore_session"
LASTING = 7 * 86_400_000_000
"""Micros after which a session asks for the key again."""

FILE = "session.key"
_SECRET_BYTES = 32
_TOKEN_BYTES = 16


@dataclass(frozen=True, slots=True)
class Session:
    """`key_id` 0: nobody has signed in. `key_made_at` tells a key from one of the same number in another store. Instants are micros UTC."""

    id: str
    key_id: int
    key_made_at: int
    begun_at: int

    @classmethod
    def begin(cls, now: int, key: ApiKey | None = None) -> Self:
        """A new one, of nobody where no key is given."""
        return cls(secrets.token_urlsafe(16), key.id if key else 0, key.created_at if key else 0, now)

    def signed(self, secret: bytes) -> str:
        """The cookie's value."""
        told = f"{self.id}.{self.key_id}.{self.key_made_at}.{self.begun_at}"
        return f"{told}.{_mac(secret, 'session', told)}"

    def token(self, secret: bytes) -> str:
        """What a form of this session sends along. Masked anew each time, so that a compressed page does not give it away piece by piece (BREACH)."""
        mask = secrets.token_bytes(_TOKEN_BYTES)
        return urlsafe_b64encode(mask + _crossed(mask, self._meant(secret))).decode().rstrip("=")

    def sent(self, secret: bytes, token: str) -> bool:
        """Whether the token is one of this session's."""
        try:
            given = urlsafe_b64decode(token.encode("ascii") + b"==")
        except ValueError:
            return False
        mask, rest = given[:_TOKEN_BYTES], given[_TOKEN_BYTES:]
        return len(rest) == _TOKEN_BYTES and hmac.compare_digest(_crossed(mask, rest), self._meant(secret))

    def of(self, key: ApiKey) -> bool:
        """Whether it was begun with this very key."""
        return (key.id, key.created_at) == (self.key_id, self.key_made_at)

    def _meant(self, secret: bytes) -> bytes:
        return hmac.digest(secret, f"form:{self.id}".encode(), sha256)[:_TOKEN_BYTES]


def read(cookie: str, secret: bytes, now: int) -> Session | None:
    """The session of a cookie's value; None where it was not signed here, or began at or before now - LASTING."""
    told, _, mac = cookie.rpartition(".")
    if not hmac.compare_digest(mac.encode(), _mac(secret, "session", told).encode()):
        return None
    id, key_id, made_at, begun_at = told.split(".")
    session = Session(id, int(key_id), int(made_at), int(begun_at))
    return session if session.begun_at > now - LASTING else None


@lru_cache(maxsize=8)
def signing_secret(home: Path) -> bytes:
    """What this instance signs with: 32 random bytes in `LEADSCORE_HOME/session.key`, made at first use, readable by its owner alone.

    Processes that make it at the same time come to the same one. Without the file the next start makes another, and everybody signs in again.
    Raises DataError for a file of another length: what signs with nothing can be forged by anybody.
    """
    path = home / FILE
    if not path.exists():
        home.mkdir(parents=True, exist_ok=True)
        _publish(path, secrets.token_bytes(_SECRET_BYTES))
    secret = path.read_bytes()
    if len(secret) != _SECRET_BYTES:
        raise DataError(f"{FILE} under LEADSCORE_HOME must hold {_SECRET_BYTES} bytes; it holds {len(secret)}. Delete it: a new one is made.")
    return secret


def _publish(path: Path, secret: bytes) -> None:
    """Whole or not at all, and by the first one only."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secret)
        try:
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        draft.unlink()


def _mac(secret: bytes, purpose: str, told: str) -> str:
    digest = hmac.digest(secret, f"{purpose}:{told}".encode("utf-8", "surrogateescape"), sha256)
    return urlsafe_b64encode(digest).decode().rstrip("=")


def _crossed(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))
