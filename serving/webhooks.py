"""The dispatcher: sends the deliveries whose time has come, signed as Standard Webhooks says, a few at a time."""

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy.exc import SQLAlchemyError

from data import deliveries
from data.contract import DataError
from data.funnel import load_funnel
from data.home import clock
from data.store import Store
from serving.pinned import Refused, post

AT_ONCE = 8
_LOOK_SECONDS = 1.0
_SLICES = 20
_END_SECONDS = 5.0
_MAX_ERROR = 200
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LOG = logging.getLogger("leadscore.webhooks")


def private_allowed() -> bool:
    """What funnel.toml says now; a file that can't be read allows nothing."""
    try:
        return load_funnel(None).webhooks.allow_private
    except DataError:
        return False


class Dispatcher:
    """`run` in a thread of its own; several processes may each have one. What is being sent has a thread each, a slow endpoint at most two."""

    def __init__(self, store: Store, now: Callable[[], int] = clock, allow_private: Callable[[], bool] = private_allowed) -> None:
        self._store = store
        self._now = now
        self._allow_private = allow_private
        self._sending: set[threading.Thread] = set()
        self._room = threading.Event()
        self._waiting = False

    def run(self, stop: threading.Event) -> None:
        """Until `stop`. What is being sent then has `_END_SECONDS` to end; what has not is sent again once its lease is over."""
        while not stop.is_set():
            if not self._attempt():
                self._rest(stop)
        until = time.monotonic() + _END_SECONDS
        for thread in list(self._sending):
            thread.join(max(0.0, until - time.monotonic()))

    def _rest(self, stop: threading.Event) -> None:
        """For `_LOOK_SECONDS`, or until there is room for more."""
        for _ in range(_SLICES):
            if self._room.is_set() or stop.wait(_LOOK_SECONDS / _SLICES):
                break
        self._room.clear()

    def _attempt(self) -> int:
        try:
            sent = self.turn()
        except SQLAlchemyError as error:
            if not self._waiting:
                _LOG.warning("the store does not answer (%s); deliveries wait", type(error).__name__)
            self._waiting = True
            return 0
        self._waiting = False
        return sent

    def turn(self) -> int:
        """Claim what there is room for and begin to send it; how many."""
        self._sending = {thread for thread in self._sending if thread.is_alive()}
        room = AT_ONCE - len(self._sending)
        claimed = deliveries.claim(self._store, self._now(), room) if room else []
        for delivery in claimed:
            thread = threading.Thread(target=self._deliver, args=(delivery,), name="delivery", daemon=True)
            self._sending.add(thread)
            thread.start()
        return len(claimed)

    def _deliver(self, claimed: deliveries.Claimed) -> None:
        try:
            self._send(claimed)
        finally:
            self._room.set()

    def _send(self, claimed: deliveries.Claimed) -> None:
        status, error = send(claimed, self._now(), self._allow_private())
        try:
            state = deliveries.settle(self._store, claimed, status, error, self._now())
        except SQLAlchemyError:
            _LOG.warning("how delivery %s ended could not be kept; it is sent again", claimed.id)
            return
        if state != "delivered":
            _LOG.warning("delivery %s to webhook %s: %s (%s)", claimed.id, claimed.webhook_id, error, state)


def send(claimed: deliveries.Claimed, now: int, allow_private: bool) -> tuple[int | None, str | None]:
    """(status, None) where the receiver took it, else (status or None, why not)."""
    body = claimed.body.encode()
    try:
        status = post(claimed.url, headers_of(claimed, now), body, allow_private)
    except Refused as error:
        return None, str(error)
    except Exception as error:  # noqa: BLE001 - whatever a receiver does to the connection is its failure, not ours
        return None, _told(error)
    return (status, None) if 200 <= status < 300 else (status, f"the receiver answered {status}")


def headers_of(claimed: deliveries.Claimed, now: int) -> dict[str, str]:
    """The id stays the same however often it is sent; after a rotation both secrets sign for a day."""
    from standardwebhooks import Webhook

    at = _EPOCH + timedelta(microseconds=now)
    signatures = [Webhook(secret).sign(claimed.id, at, claimed.body) for secret in claimed.secrets]
    return {
        "content-type": "application/json",
        "user-agent": "leadscore",
        "webhook-id": claimed.id,
        "webhook-timestamp": str(now // 1_000_000),
        "webhook-signature": " ".join(signatures),
    }


def _told(error: Exception) -> str:
    """The innermost cause in short: urllib3's own messages hold the objects' addresses."""
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    return f"{type(cause).__name__}: {getattr(cause, 'strerror', None) or cause}"[:_MAX_ERROR]
