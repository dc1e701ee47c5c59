"""What if: a lead's facts changed by hand and scored again, beside the score of the facts as they are. Nothing is stored."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from data.contract import canonical
from data.facts import Facts
from features.attributes import Attribute
from registry.bundle import Bundle
from serving import terms
from serving.colleagues import Around, request_of
from serving.contract import MAX_TEXT, ScoreRequest
from serving.errors import MalformedBody
from serving.explained import moved
from serving.replay import row_of
from serving.retelling import moved_in
from serving.scorer import Scorer
from serving.words import Words

MOST_FIELDS = 60
"""Fields offered: a form of hundreds is filled in by nobody."""
EVENT = "event"


@dataclass(frozen=True, slots=True)
class Field:
    """One attribute that the model reads: `name` is `lead.industry` or `account.industry`, `value` what is known, "" for nothing; `levels` the values
    that it learned apart."""

    name: str
    label: str
    value: str
    levels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two answers of `POST /v1/score`, and what moved between them: features with the change of their effect, in log-odds, largest first."""

    before: Mapping[str, Any]
    after: Mapping[str, Any]
    moved: list[dict[str, Any]]

    @property
    def points(self) -> int | None:
        """By how much the score moves; None where one of them is none."""
        before, after = self.before["score"], self.after["score"]
        return None if before is None or after is None else round(after - before)


def fields(bundle: Bundle, facts: Facts, words: Words) -> list[Field]:
    """What can be changed, in the order of the model's row."""
    read: dict[str, Attribute] = {}
    for attribute in bundle.schema.attributes:
        for column in attribute.inputs:
            read.setdefault(column, attribute)
    return [_field(column, attribute, facts, words) for column, attribute in list(read.items())[:MOST_FIELDS]]


def _field(column: str, attribute: Attribute, facts: Facts, words: Words) -> Field:
    levels = attribute.levels if column == attribute.inputs[0] else ()
    table, name = column.split(".", 1)
    label = terms.field(words, name)
    told = words.text("Account: {field}", field=label) if table == "account" else label
    return Field(column, told, _value(facts, column), levels)


def _value(facts: Facts, column: str) -> str:
    table, name = column.split(".", 1)
    return canonical((facts.lead if table == "lead" else facts.account).get(name)) or ""


def compared(scorer: Scorer, facts: Facts, others: Around | None, form: Mapping[str, str], now: int, words: Words) -> Comparison:
    """The lead as it is, and as the form would have it: fields that differ are changed, an emptied one is unknown, and an `event` happens at `now`
    (micros). Raises MalformedBody for a type of event that the model does not know, and what scoring refuses."""
    asked = request_of(facts, others).model_copy(update={"as_of": now})
    before, was = scorer.score(asked, now, source="request")
    after, became = scorer.score(_changed(asked, scorer.bundle, facts, form, now), now, source="request")
    told = moved(scorer.bundle, was.stage, row_of(was, scorer.bundle), became.stage, row_of(became, scorer.bundle))
    return Comparison(before, after, moved_in(told, scorer.bundle.schema, words))


def _changed(asked: ScoreRequest, bundle: Bundle, facts: Facts, form: Mapping[str, str], now: int) -> ScoreRequest:
    values = {"lead": dict(facts.lead), "account": dict(facts.account)}
    for column in bundle.schema.inputs:
        if column in form and form[column].strip() != _value(facts, column):
            table, name = column.split(".", 1)
            values[table][name] = form[column].strip()[:MAX_TEXT] or None
    type = form.get(EVENT, "")
    if type and bundle.schema.type_code(type) < 0:
        raise MalformedBody("the field event must be a type of event that this model knows. Load the page again.")
    events = [*facts.events, {"occurred_at": now, "type": type}] if type else facts.events
    return asked.model_copy(update={**values, "events": events})
