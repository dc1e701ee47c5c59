"""An answer in another language than the one that it was given in: one that was just made, or one that the store has kept."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from fastapi import Request

from features.schema import Schema
from serving.champion import Champion
from serving.said import retold, sentences
from serving.sentences import Sentences, sentences_of
from serving.words import ENGLISH, Words, words_for

_KEPT = "said"
"""What a stored answer holds beside the answer: what its sentences were made of."""


def words_of(request: Request) -> Words:
    """The language that a call asks for: English, where its headers ask for none."""
    asked = next((value for name, value in request.scope["headers"] if name == b"accept-language"), None)
    return ENGLISH if asked is None else words_for(asked.decode("latin-1"))


def schema_of(champion: Champion) -> Schema | None:
    """The schema that stored reasons are told by: that of what serves; None while nothing does."""
    return champion.take().scorer.bundle.schema if champion.ready else None


def kept(answer: Mapping[str, Any]) -> bytes:
    """The answer as the store keeps it: JSON that can be told in any language."""
    made_of = sentences({name: part for name, part in answer.items() if name != "reasons"})
    return orjson.dumps({**answer, _KEPT: made_of} if made_of else answer)


def stored(text: str | bytes, schema: Schema | None, words: Words) -> dict[str, Any]:
    """A stored answer in `words`; in English without a schema. A reason that is not of this schema stays as it was told."""
    answer: dict[str, Any] = orjson.loads(text)
    made_of = answer.pop(_KEPT, {})
    return answer if schema is None or words.language == "en" else _told(answer, made_of, schema, words)


def answer_in(answer: Mapping[str, Any], schema: Schema, words: Words) -> Mapping[str, Any]:
    """An answer that was just made, in `words`."""
    return answer if words.language == "en" else _told(answer, {}, schema, words)


def moved_in(moved: Sequence[Mapping[str, Any]], schema: Schema, words: Words) -> list[dict[str, Any]]:
    """Features that moved a score, in `words`."""
    return [dict(one) if words.language == "en" else _reason(one, sentences_of(schema, words), "after") for one in moved]


def history_in(items: list[dict[str, Any]], schema: Schema | None, words: Words) -> list[dict[str, Any]]:
    """The scores of a lead, what moved each in `words`."""
    if schema is None or words.language == "en":
        return items
    told = [item["change"] and {**item["change"], "moved": moved_in(item["change"]["moved"], schema, words)} for item in items]
    return [{**item, "change": change} for item, change in zip(items, told, strict=True)]


def _told(answer: Mapping[str, Any], made_of: Mapping[str, Any], schema: Schema, words: Words) -> dict[str, Any]:
    told = sentences_of(schema, words)
    reasons = [_reason(reason, told, "value") for reason in answer["reasons"]]
    rest = {name: part for name, part in answer.items() if name != "reasons"}
    again: dict[str, Any] = retold(rest, made_of, words, told.of_column)
    return {name: reasons if name == "reasons" else again[name] for name in answer}


def _reason(reason: Mapping[str, Any], told: Sentences, value: str) -> dict[str, Any]:
    text = told.reason(reason["feature"], reason[value])
    return dict(reason) if text is None else {**reason, "text": text}
