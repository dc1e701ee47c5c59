"""Cursors of lists that grow at one end: where a page stopped, as text that means nothing to its reader."""

import base64
import binascii
from typing import Any

import orjson

from data.ledger import Place
from serving.errors import MalformedBody

CURSOR: dict[str, Any] = {
    "name": "cursor",
    "in": "query",
    "required": False,
    "description": "The `next_cursor` of the page before; none for the first.",
    "schema": {"type": "string"},
}


def cursor_of(place: Place) -> str:
    """The cursor to what comes behind the row of that instant and id."""
    return base64.urlsafe_b64encode(orjson.dumps(place)).decode().rstrip("=")


def place_of(cursor: str | None) -> Place | None:
    """None for none; MalformedBody for what `cursor_of` never made."""
    if cursor is None:
        return None
    try:
        at, id = orjson.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
        if type(at) is int and type(id) is str and abs(at) < 2**63 and "\0" not in id:
            return at, id
    except (binascii.Error, ValueError, TypeError):
        pass
    raise MalformedBody("the parameter cursor must be the next_cursor of an answer to this call, as it was.")
