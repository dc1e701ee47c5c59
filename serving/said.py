"""Sentences that remember what they were made of: said once, in English, and told again in any language by whoever reads the answer, or the store
years later."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from serving.words import ENGLISH, Words

Kept = dict[str, list[Any]]
"""Of each sentence of a document, by where it stands (`recommendation.text`), what it was made of, as JSON can hold it."""

Column = Callable[[str, float], str]
"""What a column's value is called in the language that is asked for."""


class Said(str):
    """An English sentence. `pattern`: one text, or those for one and for many; `values`: what JSON can hold, or sentences themselves."""

    pattern: str | tuple[str, str]
    values: Mapping[str, Any]

    @classmethod
    def of(cls, told: str, pattern: str | tuple[str, str], values: Mapping[str, Any]) -> "Said":
        said = cls(told)
        said.pattern, said.values = pattern, values
        return said


class Fact(str):
    """An English sentence that says the value of a column of the model's row."""

    column: str
    value: float

    @classmethod
    def of(cls, told: str, column: str, value: float) -> "Fact":
        fact = cls(told)
        fact.column, fact.value = column, value
        return fact


@dataclass(frozen=True)
class Remembering(Words):
    """English, each text of which is `Said`; a number or a duration as well, so that a sentence it stands in can be told with that of another
    language."""

    def text(self, text: str, /, **values: object) -> str:
        return Said.of(self._filled(text, values) if values else text, text, values)

    def plural(self, one: str, many: str, n: int, /, **values: object) -> str:
        return Said.of(ENGLISH.plural(one, many, n, **values), (one, many), {"n": n, **values})

    def percent(self, share: float, decimals: int = 0) -> str:
        form = ("{value:percent}", "{value:percent1}")[decimals]
        return Said.of(ENGLISH.percent(share, decimals) if decimals else f"{share:,.0%}", form, {"value": share})

    def duration(self, days: float) -> str:
        return Said.of(ENGLISH.duration(days), "{value:duration}", {"value": days})


REMEMBERING = Remembering()


def sentences(document: Any) -> Kept:
    """What the sentences of a document of dicts and lists were made of: `retold` gives them again."""
    return {".".join(path): _packed(one) for path, one in _found(document, ())}


def retold(document: Any, kept: Mapping[str, Sequence[Any]], words: Words, column: Column) -> Any:
    """The document with its sentences told in `words`: those that remember what they are made of, and those of which `kept` says it, where JSON has
    taken that from them. `column` tells facts."""
    return _retold(document, kept, _Told(words, column), "")


@dataclass(frozen=True)
class _Told:
    """What one sentence is in one language."""

    words: Words
    column: Column

    def said(self, one: Said) -> str:
        return self._told(one.pattern, {name: self.said(value) if isinstance(value, Said) else value for name, value in one.values.items()})

    def packed(self, one: Sequence[Any]) -> str:
        if len(one) == 3:
            return self.column(one[1], one[2])
        return self._told(one[0], {name: self.packed(value) if isinstance(value, list) else value for name, value in one[1].items()})

    def _told(self, pattern: str | Sequence[str], values: Mapping[str, Any]) -> str:
        if isinstance(pattern, str):
            return self.words.text(pattern, **values)
        one, many = pattern
        return self.words.plural(one, many, values["n"], **{name: value for name, value in values.items() if name != "n"})


def _packed(one: Said | Fact) -> list[Any]:
    if isinstance(one, Fact):
        return ["column", one.column, one.value]
    return [one.pattern, {name: _packed(value) if isinstance(value, Said) else value for name, value in one.values.items()}]


def _found(document: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Said | Fact]]:
    if isinstance(document, Said | Fact):
        yield path, document
    elif isinstance(document, dict):
        for name, part in document.items():
            yield from _found(part, (*path, name))
    elif isinstance(document, list | tuple):
        for place, part in enumerate(document):
            yield from _found(part, (*path, str(place)))


def _retold(document: Any, kept: Mapping[str, Sequence[Any]], told: _Told, path: str) -> Any:
    if isinstance(document, Said):
        return told.said(document)
    if isinstance(document, Fact):
        return told.column(document.column, document.value)
    if isinstance(document, dict):
        return {name: _retold(part, kept, told, f"{path}.{name}" if path else name) for name, part in document.items()}
    if isinstance(document, list | tuple):
        return [_retold(part, kept, told, f"{path}.{place}" if path else str(place)) for place, part in enumerate(document)]
    return told.packed(kept[path]) if path in kept else document
