"""Ids in paths: any text, percent-encoded, `/` as `%2F` too."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from starlette.types import Scope

# Stands for an encoded slash while the path is being matched. No database text holds it, so no id does.
_SLASH = "\x00"
_NO_TEXT = "\ufffd"
_NOWHERE = "/\x00"


def keep_slashes(scope: Scope) -> None:
    """Sets `scope["path"]` so that an encoded slash separates nothing; servers hand it over decoded.

    A path that is no text, or holds the character NUL, leads nowhere.
    """
    raw: bytes = scope.get("raw_path") or b""
    if b"%" not in raw:
        return
    given = raw.decode("latin-1")
    path = unquote(given.replace("%2F", "%00").replace("%2f", "%00"))
    scope["path"] = _NOWHERE if "%00" in given or _NO_TEXT in path else path


def plain(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a matched path as they were meant."""
    return {name: value.replace(_SLASH, "/") for name, value in parameters.items()}
