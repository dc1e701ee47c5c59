"""Reads templates as a person would: what they say outside of what is translated."""

import re
from html.parser import HTMLParser
from pathlib import Path

from jinja2 import Environment

_SAID_IN = {"alt", "title", "aria-label", "aria-description", "placeholder", "label", "content"}
_FILLED = "\0"
_WORD = re.compile(r"[^\W\d_]{2,}")
_SILENT = {"script", "style", "code", "pre", "kbd"}
_NAMES = {"leadscore", "utf", "viewport"}


def bare(source: str) -> list[str]:
    """The words of a template that stand in it as they are: texts and the attributes that are read out, outside of `_()`, `ngettext()` and
    `{% trans %}`."""
    found = _Reader()
    found.feed(_plain(source))
    found.close()
    told = [text.replace(_FILLED, "").strip() for text in found.texts]
    return [text for text in told if any(word.lower() not in _NAMES for word in _WORD.findall(text))]


def bare_of(path: Path) -> list[str]:
    return bare(path.read_text("utf-8"))


def _plain(source: str) -> str:
    """The template's own text, a NUL where something is put in or told in a language."""
    parts, translated, previous = [], False, ""
    for _, kind, value in Environment(extensions=["jinja2.ext.i18n"]).lex(source):
        if kind == "name" and previous == "block_begin":
            translated = value == "trans" or (translated and value == "pluralize")
        if kind not in ("whitespace",):
            previous = kind
        if kind == "data" and not translated:
            parts.append(value)
        elif kind == "variable_end":
            parts.append(_FILLED)
    return "".join(parts)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.texts: list[str] = []
        self._silent: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SILENT:
            self._silent.append(tag)
        given = dict(attrs)
        if tag == "meta":
            return
        self.texts += [value for name, value in given.items() if name in _SAID_IN and value]

    def handle_endtag(self, tag: str) -> None:
        if self._silent and self._silent[-1] == tag:
            self._silent.pop()

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.texts.append(data)
