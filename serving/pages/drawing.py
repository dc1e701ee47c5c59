"""Templates into HTML, in the visitor's language. Imported with the first page, for Jinja takes its time."""

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import jinja2

from data.contract import format_instant
from serving.pages.files import address
from serving.pages.frame import TOKEN_FIELD, Visit, token_of
from serving.words import LANGUAGES, Words, install

TEMPLATES = Path(__file__).parent / "templates"

NAVIGATION = (("/queue", "read"), ("/funnel", "read"), ("/profile", "read"), ("/losses", "read"), ("/model", "read"), ("/jobs", "operate"))
"""The pages one goes to from anywhere, and the scope each asks for; base.html has their names."""

HTMX = json.dumps({
    "allowEval": False,
    "historyCacheSize": 0,
    "refreshOnHistoryMiss": True,
    "includeIndicatorStyles": False,
    "selfRequestsOnly": True,
    "scrollIntoViewOnBoost": False,
    "responseHandling": [
        {"code": "204", "swap": False},
        {"code": "[23]..", "swap": True},
        {"code": "[45]..", "swap": True, "error": True, "target": "#notice", "swapOverride": "innerHTML"},
    ],
})  # fmt: skip
"""Nothing that the policy forbids, nothing of a lead kept in the browser; a refusal is shown above the page, which stays as it was."""


@lru_cache(maxsize=32)
def environment(words: Words) -> jinja2.Environment:
    """The templates in one language. User text is escaped, and a name that is not there is an error."""
    drawn = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        extensions=["jinja2.ext.i18n"],
    )
    install(drawn, words)
    drawn.globals.update(asset=address, words=words, token_field=TOKEN_FIELD, htmx_config=HTMX, iso=format_instant)
    return drawn


def draw(visit: Visit, template: str, context: Mapping[str, Any]) -> str:
    """The template with what every page knows: `may(scope)`, `path`, `token`, `languages`, `signed_in`, `opened` (the navigation)."""
    known = {
        "may": visit.may,
        "policy_problem": visit.service.champion.down.get("policy") if visit.may("operate") else None,
        "path": visit.path,
        "here": visit.here,
        "token": token_of(visit),
        "languages": LANGUAGES,
        "signed_in": visit.session.key_id > 0,
        "caller": visit.caller,
        "opened": [path for path, scope in NAVIGATION if visit.may(scope)],
    }
    return environment(visit.words).get_template(template).render({**known, **context})
