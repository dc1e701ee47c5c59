"""Brings the catalogues up to the code: `python -m serving.language` finds every text that people read and writes it into each language's .po.

What is translated stays; what is new stands there with an empty translation; what nobody says any more goes. Files are the same for the same texts.
"""

import ast
import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po
from jinja2.ext import babel_extract

from data.contract import EXITS, STAGES
from data.default_policy import NEXT_STEPS
from data.policy import DEAL_STAGES
from features.declarations import LEVELS
from serving import sentences
from serving.evidence import FACETS
from serving.words import CATALOGUES, DOMAIN, LANGUAGES

SOURCES = Path(__file__).parent
OTHERS = tuple(language for language in LANGUAGES if language != "en")

Text = str | tuple[str, str]
"""One text, or that for one and that for many."""

_SAYS_ONE = frozenset({"text", "msgid"})
_SAYS_TWO = frozenset({"plural"})
_IN_TEMPLATES = ("_", "gettext", "ngettext")
_OPTIONS = {"trimmed": "true", "extensions": "jinja2.ext.do"}
_EPOCH = datetime.fromtimestamp(0, UTC)


def texts() -> set[Text]:
    """Every text that can be told: in the code, in the templates, of features, of the built-in words of the funnel."""
    found: set[Text] = set(_of_code()) | set(_of_templates())
    found |= {*sentences.patterns(), *sentences.NAMES}
    found |= {*STAGES, *EXITS, *LEVELS, *FACETS, *DEAL_STAGES, "known", "likely", "unknown"}
    found |= {step if isinstance(step, str) else step["text"] for steps in NEXT_STEPS.values() for step in steps}
    many = {text[0] for text in found if isinstance(text, tuple)}
    return {text for text in found if text and text not in many}


def catalogue(language: str) -> dict[Text, Text]:
    """What each text is in a language, empty where nobody has said it."""
    path = path_of(language)
    if not path.exists():
        return {}
    with path.open("rb") as file:
        return {_plain(message.id): _plain(message.string) for message in read_po(file, locale=language, domain=DOMAIN) if message.id}


def path_of(language: str) -> Path:
    """The file of a language's catalogue."""
    return CATALOGUES / language / "LC_MESSAGES" / f"{DOMAIN}.po"


def written(language: str, known: Mapping[Text, Text]) -> bytes:
    """The .po with what is known, by the alphabet."""
    made = Catalog(language, DOMAIN, project="leadscore", version="1", creation_date=_EPOCH, revision_date=_EPOCH, fuzzy=False)
    made.header_comment = f"# {LANGUAGES[language]}: what leadscore says to people. Made by `python -m serving.language`; edit the msgstr."
    for text, told in known.items():
        made.add(text, told)
    out = BytesIO()
    write_po(out, made, width=0, no_location=True, omit_header=False, sort_output=True)
    return out.getvalue()


def update(language: str, found: Iterable[Text], said: Mapping[Text, Text]) -> int:
    """Write the catalogue of a language with the texts found, and what `said` and then the catalogue have for them; how many are still without."""
    known = catalogue(language)
    forms = Catalog(locale=language).num_plurals
    told = {text: said.get(text) or known.get(text) or _empty(text, forms) for text in found}
    path_of(language).parent.mkdir(parents=True, exist_ok=True)
    path_of(language).write_bytes(written(language, told))
    return sum(not all([one] if isinstance(one, str) else one) for one in told.values())


def _empty(text: Text, forms: int) -> Text:
    return "" if isinstance(text, str) else ("",) * forms  # type: ignore[return-value]


def _plain(found: Any) -> Any:
    return found if isinstance(found, str) else tuple(found)


def _of_code() -> Iterator[Text]:
    for path in sorted(SOURCES.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                yield from _of_call(node)


def _of_call(call: ast.Call) -> Iterator[Text]:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else call.func.id if isinstance(call.func, ast.Name) else ""
    if name in _SAYS_ONE and call.args:
        yield from constants(call.args[0])
    elif name in _SAYS_TWO and len(call.args) > 2:
        yield from zip(constants(call.args[0]), constants(call.args[1]), strict=True)


def constants(node: ast.expr) -> list[str]:
    """The texts that an argument may be: one, or either side of a condition; none for what is only known when it runs."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    return constants(node.body) + constants(node.orelse) if isinstance(node, ast.IfExp) else []


def _of_templates() -> Iterator[Text]:
    for path in sorted(SOURCES.rglob("*.html")):
        with path.open("rb") as file:
            for _, call, found, _ in babel_extract(file, _IN_TEMPLATES, (), _OPTIONS):
                given = [text or "" for text in found] if isinstance(found, tuple) else [found or ""]
                yield (given[0], given[1]) if call == "ngettext" else given[0]


def main() -> int:
    found = texts()
    for language in OTHERS:
        left = update(language, found, {})
        sys.stdout.write(f"{language}: {len(found)} texts, {left} without a translation\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
