"""The pages' own files: style, scripts and icon, each under a name that holds what is in it, so that a browser asks for it once."""

import gzip
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from fastapi import Request
from fastapi.responses import Response

from serving.errors import NotFound

FOLDER = Path(__file__).parent / "assets"
PATH = "/assets/{name}"
KINDS = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
HEADERS = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "Vary": "Accept-Encoding",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_SHOWN_OF_HASH = 12


@dataclass(frozen=True)
class File:
    """One file as it is sent."""

    kind: str
    plain: bytes
    packed: bytes


@lru_cache(maxsize=1)
def _files() -> dict[str, tuple[str, File]]:
    """(address, file) by name within the folder, such as `vendor/htmx.min.js`."""
    found = {}
    for path in sorted(FOLDER.rglob("*")):
        if path.suffix in KINDS:
            plain = path.read_bytes()
            hashed = f"{path.stem}.{sha256(plain).hexdigest()[:_SHOWN_OF_HASH]}{path.suffix}"
            found[path.relative_to(FOLDER).as_posix()] = hashed, File(KINDS[path.suffix], plain, gzip.compress(plain, 9, mtime=0))
    return found


@lru_cache(maxsize=1)
def _by_address() -> dict[str, File]:
    return dict(_files().values())


def address(name: str) -> str:
    """Where the file of that name is served: `leadscore.css` -> `/assets/leadscore.0f3a....css`. KeyError for none of ours."""
    return PATH.format(name=_files()[name][0])


def content(name: str) -> str:
    """The text of the file of that name, for a page that stands alone."""
    return _files()[name][1].plain.decode()


async def endpoint(request: Request) -> Response:
    """The file under its hashed name: it never changes, so it is kept for ever."""
    file = _by_address().get(request.path_params["name"])
    if file is None:
        raise NotFound("there is no such file; it may be one of another version. Load the page again.")
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(file.packed, headers=HEADERS | {"Content-Encoding": "gzip"}, media_type=file.kind)
    return Response(file.plain, headers=HEADERS, media_type=file.kind)
