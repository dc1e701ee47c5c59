"""Sentences that remember what they were made of."""

import orjson
from hypothesis import given
from hypothesis import strategies as st

from serving.said import REMEMBERING, Fact, retold, sentences
from serving.words import ENGLISH, Words

SWEDISH = Words("sv")


def column(name: str, value: float) -> str:
    return f"{name} = {value}"


def example() -> dict[str, object]:
    text = REMEMBERING.text("{chance} chance to become {next}.", chance=REMEMBERING.percent(0.31), next=REMEMBERING.text("prospect"))
    return {
        "action": "advance",
        "text": text,
        "gate": None,
        "known": {"need": {"because": [Fact.of("a fact", "some_column", 2.0), REMEMBERING.plural("{n} day", "{n} days", 2), "plain"]}},
        "quiet": REMEMBERING.text("No sign of life for {days}.", days=REMEMBERING.duration(3.0)),
        "step": REMEMBERING.text("a team's own {step"),
    }


def test_remembered_english_is_english() -> None:
    assert orjson.loads(orjson.dumps(example())) == {
        "action": "advance",
        "text": "31% chance to become prospect.",
        "gate": None,
        "known": {"need": {"because": ["a fact", "2 days", "plain"]}},
        "quiet": "No sign of life for 3 days.",
        "step": "a team's own {step",
    }


def test_told_again_at_once_and_after_json_is_the_same() -> None:
    document = example()
    stored, kept = orjson.loads(orjson.dumps(document)), orjson.loads(orjson.dumps(sentences(document)))
    again = retold(document, {}, SWEDISH, column)
    assert again == retold(stored, kept, SWEDISH, column)
    assert again["quiet"] == "Inget livstecken på 3 dagar."
    assert again["known"]["need"]["because"] == ["some_column = 2.0", "2 dagar", "plain"]
    assert "prospekt" in again["text"]
    assert again["action"] == "advance"


def test_told_again_in_english_nothing_changes() -> None:
    document = example()
    document["known"] = {}
    assert retold(document, {}, ENGLISH, column) == orjson.loads(orjson.dumps(document))


@given(st.floats(0, 1), st.floats(0, 4_000))
def test_remembering_says_what_english_says(share: float, days: float) -> None:
    assert REMEMBERING.percent(share) == ENGLISH.percent(share)
    assert REMEMBERING.percent(share, 1) == ENGLISH.percent(share, 1)
    assert REMEMBERING.duration(days) == ENGLISH.duration(days)
    assert REMEMBERING.text("{a} of {b}", a=share, b=days) == ENGLISH.text("{a} of {b}", a=share, b=days)
