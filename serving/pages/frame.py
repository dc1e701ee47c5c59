"""What a page is, what its call is given, and how its answer is dressed. The calls themselves are in the modules beside this one."""

import gzip
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from fastapi import Request
from fastapi.responses import Response

from data.store import ApiKey
from serving.errors import MalformedBody, TooLarge
from serving.pages.session import Session, signing_secret
from serving.routes import Service, body_of
from serving.words import Words

FORM = "application/x-www-form-urlencoded"
TOKEN_FIELD, TOKEN_HEADER = "csrf_token", "x-csrf-token"
LONGEST_FORM = 64 * 1024
MOST_FIELDS = 200
WORTH_PACKING, PACKED = 1_000, 5
"""Bytes from which on a page is sent compressed, and how hard."""

LANGUAGE_COOKIE = "leadscore_language"


@dataclass(frozen=True)
class Visit:
    """One call of a page. `caller` None: no key exists, and this machine asks. `form`: the fields that were posted, the last of each name.

    `admitted`: it is known who comes.
    """

    request: Request
    service: Service
    session: Session
    caller: ApiKey | None
    words: Words
    form: Mapping[str, str]
    admitted: bool = False

    @property
    def parameters(self) -> Mapping[str, str]:
        """Those of the path."""
        return self.request.path_params

    @property
    def query(self) -> Mapping[str, str]:
        """Those behind the question mark, the last of each name."""
        return self.request.query_params

    @property
    def by_htmx(self) -> bool:
        """Whether a part of a page is asked for, not a whole one."""
        return "hx-request" in self.request.headers

    @property
    def path(self) -> str:
        """That of the address, as it was sent: an encoded slash stays one."""
        return str(self.request.scope["raw_path"].decode("latin-1"))

    @property
    def here(self) -> str:
        """The path with its query, to come back to."""
        asked = self.request.url.query
        return f"{self.path}?{asked}" if asked else self.path

    def may(self, scope: str) -> bool:
        """Whether the caller's key opens calls of this scope: what it does not open is not offered."""
        return self.admitted and (self.caller is None or bool(self.caller.scopes & {scope, "admin"}))

    def page(self, template: str, /, status: int = 200, **context: Any) -> Response:
        """The template as a whole page. It is drawn in a thread, after the call has returned."""
        return Drawn(self, template, context, status)

    def fragment(self, template: str, /, status: int = 200, **context: Any) -> Response:
        """The template as the part of a page that htmx puts in its place; it extends nothing."""
        return Drawn(self, template, context, status)

    def redirect(self, path: str) -> Response:
        """To a page of ours; anything else is taken for the first page. Asked by htmx, the whole page moves."""
        address = local(path)
        if self.by_htmx:
            return Response(status_code=204, headers={"HX-Redirect": address})
        return Response(status_code=303, headers={"Location": address})


Call = Callable[[Visit], Awaitable[Response]]


@dataclass(frozen=True)
class Page:
    """`methods` out of GET and POST; `scope` None: open to all. A POST comes with the session's token, or not at all."""

    path: str
    methods: tuple[str, ...]
    scope: str | None
    call: Call


class Drawn(Response):
    """A page that is drawn when it is sent for: its template runs outside the loop that answers other calls."""

    media_type = "text/html"

    def __init__(self, visit: Visit, template: str, context: Mapping[str, Any], status: int) -> None:
        super().__init__(b"", status)
        self._visit, self._template, self._context = visit, template, context

    def draw(self) -> None:
        """Blocking; once."""
        from serving.pages.drawing import draw

        self.body = draw(self._visit, self._template, self._context).encode()
        if len(self.body) > WORTH_PACKING and "gzip" in self._visit.request.headers.get("accept-encoding", ""):
            self.body = gzip.compress(self.body, PACKED, mtime=0)
            self.headers["content-encoding"] = "gzip"
        self.headers["content-length"] = str(len(self.body))


def local(path: str) -> str:
    """The path where it leads to a page of ours, else that of the first page: nobody is sent elsewhere by a link to us."""
    plain = path.isascii() and path.isprintable() and path.startswith("/") and not path.startswith("//") and "\\" not in path
    return path if plain else "/"


async def form_of(request: Request, service: Service) -> dict[str, str]:
    """The posted fields. Raises TooLarge, MalformedBody."""
    body = await body_of(request, service)
    if len(body) > LONGEST_FORM:
        raise TooLarge(f"a form must have at most {LONGEST_FORM:,} bytes; it has more. Say it in fewer words.")
    try:
        fields = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
    except ValueError:
        raise MalformedBody(f"the form can't be read: it must be {FORM}, in UTF-8, with at most {MOST_FIELDS} fields.") from None
    if any("\0" in text for field in fields for text in field):
        raise MalformedBody("a field of the form holds the character NUL. Leave it out.")
    return dict(fields)


def token_of(visit: Visit) -> str:
    """The token that the forms of this visit send."""
    return visit.session.token(signing_secret(visit.service.settings.home))
