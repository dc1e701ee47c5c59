"""Around every page: who asks, whether they may, that a form is one of ours, and what a browser is told to forbid."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import Response
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import ClientDisconnect

from data.store import ApiKey
from serving.auditing import AUDITED, audited, note_refused
from serving.errors import Forbidden, InternalError, ServiceError, Unauthorized, refusal_of
from serving.pages.frame import FORM, LANGUAGE_COOKIE, TOKEN_FIELD, TOKEN_HEADER, Drawn, Page, Visit, form_of, local
from serving.pages.session import COOKIE, LASTING, Session, read, signing_secret
from serving.paths import plain
from serving.routes import Service
from serving.words import msgid, words_for

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
"""No inline script or style, nothing from elsewhere, in nobody's frame."""

HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
    "Vary": "Accept-Encoding, Accept-Language, Cookie, HX-Request",
}
SIGN_IN = "/sign-in"
SAFE = frozenset({"GET", "HEAD"})
OURS = frozenset({"same-origin", "none"})
"""`Sec-Fetch-Site` of what our own pages, or nobody's, sent."""
_LOG = logging.getLogger("leadscore.http")


def guarded(page: Page) -> Callable[[Request], Awaitable[Response]]:
    """The page's endpoint. Every refusal is a page, too; without a living session it is that of signing in."""

    async def endpoint(request: Request) -> Response:
        visit, fresh = await _arrived(request)
        try:
            visit = await _admitted(page, visit)
            response = await _sendable(await _called(page, visit))
        except ClientDisconnect:
            raise
        except Exception as error:  # noqa: BLE001 - the person at the browser is told in a page, the log in full
            response = await _sendable(_refused(visit, error))
        if fresh and COOKIE not in response.headers.get("set-cookie", ""):
            keep(response, visit, visit.session)
        return dressed(response)

    return endpoint


async def shown(request: Request, refusal: ServiceError) -> Response:
    """The refusal as a page, where none of ours was asked for."""
    visit, fresh = await _arrived(request)
    response = await _sendable(_refused(visit, refusal))
    if fresh:
        keep(response, visit, visit.session)
    return dressed(response)


def by_browser(request: Request) -> bool:
    """Whether a person asks: for a page, and not under the path of the calls."""
    return "text/html" in request.headers.get("accept", "") and not request.scope["path"].startswith("/v1/")


async def _sendable(response: Response) -> Response:
    if isinstance(response, Drawn):
        await asyncio.to_thread(response.draw)
    return response


async def _arrived(request: Request) -> tuple[Visit, bool]:
    """The visit before it is known who comes, and whether its session is a new one."""
    service: Service = request.app.state.service
    if request.scope.get("path_params"):
        request.scope["path_params"] = plain(request.scope["path_params"])
    session = read(request.cookies.get(COOKIE, ""), signing_secret(service.settings.home), service.now())
    words = words_for(request.headers.get("accept-language"), request.cookies.get(LANGUAGE_COOKIE))
    return Visit(request, service, session or Session.begin(service.now()), None, words, {}), session is None


async def _admitted(page: Page, visit: Visit) -> Visit:
    """The same visit, its caller let in and its form checked. Raises the refusals of the gate, and Forbidden for a form that is not ours."""
    request, service = visit.request, visit.service
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in request.scope["headers"]}
    request.state.caller = None
    if page.scope is not None:
        caller = await _caller(visit, headers)
        request.state.caller = caller
        visit = replace(visit, caller=caller, admitted=True)
    try:
        if page.scope is not None:
            service.gate.permit(visit.caller, request.method, headers, page.scope, (FORM,))
        return visit if request.method in SAFE else await _with_form(visit)
    except Forbidden as refusal:
        if page.scope in AUDITED:
            await note_refused(service.store, request, service.now(), refusal)
        raise


async def _caller(visit: Visit, headers: Mapping[str, str]) -> ApiKey | None:
    """Whose session it is; a key in the header will do as well, as it does for the calls."""
    session, gate = visit.session, visit.service.gate
    address = visit.request.client.host if visit.request.client else ""
    if headers.get("authorization", "").lower().startswith("bearer ") or not session.key_id:
        return await gate.identify(headers, address)
    key = await gate.living(session.key_id)
    if not session.of(key):
        raise Unauthorized("this session was begun with another key. Sign in again.")
    return key


async def _with_form(visit: Visit) -> Visit:
    if visit.request.headers.get("sec-fetch-site", "same-origin") not in OURS:
        raise Forbidden(msgid("this form was sent by another site."))
    form = await form_of(visit.request, visit.service)
    token = visit.request.headers.get(TOKEN_HEADER) or form.pop(TOKEN_FIELD, "")
    if not visit.session.sent(signing_secret(visit.service.settings.home), token):
        raise Forbidden(msgid("this form is from a session that has ended."))
    return replace(visit, form=form)


async def _called(page: Page, visit: Visit) -> Response:
    """The page's answer; what a form of an operating scope does is recorded as the calls are."""
    if page.scope in AUDITED and visit.request.method not in SAFE:
        return await audited(visit.service.store, visit.request, visit.service.now(), partial(page.call, visit))
    return await page.call(visit)


def _refused(visit: Visit, error: Exception) -> Response:
    """A page that says what went wrong; the one to sign in where nobody is known."""
    refusal = _refusal_of(error, visit)
    if isinstance(refusal, Unauthorized):
        return signing_in(visit)
    draw = visit.fragment if visit.by_htmx else visit.page
    response = draw("_refusal.html" if visit.by_htmx else "refusal.html", refusal.status, refusal=refusal)
    response.headers.update(refusal.headers)
    return response


def _refusal_of(error: Exception, visit: Visit) -> ServiceError:
    known = refusal_of(error) if isinstance(error, SQLAlchemyError) else error
    if isinstance(known, ServiceError):
        return known
    request_id = visit.request.state.request_id
    _LOG.error("failed", exc_info=error, extra={"fields": {"request_id": request_id}})
    return InternalError(f"something went wrong here, not in what was sent. The log has it under the request id {request_id}.")


def signing_in(visit: Visit) -> Response:
    """To the page to sign in, and from there back to where one was; after a form, to the first page."""
    whole = visit.request.headers.get("hx-current-url", "").partition(visit.request.url.netloc)[2]
    back = local(whole if visit.by_htmx else visit.here) if visit.request.method in SAFE else "/"
    return visit.redirect(SIGN_IN if back == "/" else f"{SIGN_IN}?next={quote(back, safe='/')}")


def keep(response: Response, visit: Visit, session: Session) -> None:
    """The session's cookie; of the browser's own session while nobody has signed in."""
    secure = visit.request.url.scheme == "https"
    value = session.signed(signing_secret(visit.service.settings.home))
    lasting = LASTING // 1_000_000 if session.key_id else None
    response.set_cookie(COOKIE, value, lasting, path="/", secure=secure, httponly=True, samesite="lax")


def dressed(response: Response) -> Response:
    """The answer with the headers that every page has."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response
