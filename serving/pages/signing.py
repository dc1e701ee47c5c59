"""Signing in and out, the choice of language, and the way to the first page."""

from fastapi.responses import Response

from serving.errors import Unauthorized
from serving.pages.frame import LANGUAGE_COOKIE, Page, Visit, local
from serving.pages.guarding import SIGN_IN, keep
from serving.pages.session import Session
from serving.words import LANGUAGES

FIRST_PAGE = "/queue"
_A_YEAR = 365 * 86_400


async def _first(visit: Visit) -> Response:
    return visit.redirect(FIRST_PAGE)


async def _ask(visit: Visit) -> Response:
    """Where no key exists, this machine needs none: a session that was begun with one is left behind."""
    back = local(visit.query.get("next", FIRST_PAGE))
    try:
        await visit.service.gate.identify(_bearing(visit), _address(visit))
    except Unauthorized:
        return visit.page("sign_in.html", next=back, refused=False)
    response = visit.redirect(back)
    keep(response, visit, Session.begin(visit.service.now()))
    return response


async def _sign_in(visit: Visit) -> Response:
    """The key begins a session of its own, so that nobody can sign another in under a session they know."""
    back = local(visit.form.get("next", FIRST_PAGE))
    try:
        key = await visit.service.gate.identify({"authorization": f"Bearer {visit.form.get('key', '').strip()}"}, _address(visit))
    except Unauthorized as refusal:
        return visit.page("sign_in.html", refusal.status, next=back, refused=True)
    response = visit.redirect(back)
    keep(response, visit, Session.begin(visit.service.now(), key))
    return response


def _bearing(visit: Visit) -> dict[str, str]:
    """The key in the header, where there is one; a proxy's own way of asking who comes is none."""
    given = visit.request.headers.get("authorization", "")
    return {"authorization": given} if given.lower().startswith("bearer ") else {}


def _address(visit: Visit) -> str:
    return visit.request.client.host if visit.request.client else ""


async def _sign_out(visit: Visit) -> Response:
    response = visit.redirect(SIGN_IN)
    keep(response, visit, Session.begin(visit.service.now()))
    return response


async def _choose_language(visit: Visit) -> Response:
    response, language = visit.redirect(local(visit.form.get("next", FIRST_PAGE))), visit.form.get("language", "")
    if language not in LANGUAGES:
        return response
    secure = visit.request.url.scheme == "https"
    response.set_cookie(LANGUAGE_COOKIE, language, _A_YEAR, path="/", secure=secure, httponly=True, samesite="lax")
    return response


PAGES = (
    Page("/", ("GET",), None, _first),
    Page(SIGN_IN, ("GET",), None, _ask),
    Page(SIGN_IN, ("POST",), None, _sign_in),
    Page("/sign-out", ("POST",), None, _sign_out),
    Page("/language", ("POST",), None, _choose_language),
)
