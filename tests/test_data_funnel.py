"""funnel.toml: defaults, and a mistake named by its key with the nearest valid name."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.contract import EXITS, STAGES, DataError
from data.defaults import STAGE_WORDS
from data.funnel import Funnel, fitting, load_funnel

DOCS = Path(__file__).parent.parent / "docs"


@pytest.mark.parametrize(
    "name, stage",
    [
        ("MQL", "prospect"),
        ("sql", "prospect"),
        ("SAL", "prospect"),
        ("Deal", "opportunity"),
        ("Qualified Opportunity", "opportunity"),
        ("closedwon", "customer"),
        ("Closed Won", "customer"),
        ("closed_lost", "lost"),
        ("Unqualified", "disqualified"),
        ("junk lead", "disqualified"),
        ("declined", "disqualified"),
        ("LEAD", "lead"),
        ("Zwischenstufe", None),
        ("", None),
    ],
)
def test_names_of_common_crms_are_known(name: str, stage: str | None) -> None:
    assert Funnel().stage_of(name) == stage


def test_no_built_in_name_stands_for_two_stages() -> None:
    folded = [("".join(filter(str.isalnum, word.casefold())), s) for s, words in STAGE_WORDS.items() for word in words]
    assert len({word for word, _ in folded}) == len(set(folded))
    assert set(STAGE_WORDS) == set(STAGES + EXITS)


def test_the_teams_own_names_win() -> None:
    funnel = Funnel.from_document({"stages": {"opportunity": ["SQL", "Angebot läuft"]}})
    assert (funnel.stage_of("sql"), funnel.stage_of("ANGEBOT LÄUFT")) == ("opportunity", "opportunity")


@pytest.mark.parametrize(
    "document, words",
    [
        ({"stagess": {}}, ["`stagess`", "Did you mean 'stages'"]),
        ({"policy": {"rules": {"disqualify_max_fitt": 3}}}, ["`policy.rules.disqualify_max_fitt`", "'disqualify_max_fit'"]),
        ({"policy": {"capacity_per_day": "40"}}, ["`policy.capacity_per_day`", "integer", '"40"']),
        ({"policy": {"capacity_per_day": 0}}, ["`policy.capacity_per_day`", "greater than or equal to 1", "found 0"]),
        ({"policy": {"capacity_per_day": True}}, ["`policy.capacity_per_day`", "found true"]),
        ({"horizons": {"lead->prospct": 28}}, ["`horizons`", "Did you mean 'lead->prospect'"]),
        ({"horizons": {"prospect->lead": 28}}, ["`horizons`", "unknown transition 'prospect->lead'"]),
        ({"horizons": {"lead->prospect": 0}}, ["`horizons.lead->prospect`", "greater than or equal to 1"]),
        ({"event_types": {"fax": {"level": "intrest"}}}, ["`event_types.fax.level`", "Did you mean 'interest'"]),
        ({"event_types": {"fax": {"lable": "Fax"}}}, ["`event_types.fax.lable`", "Did you mean 'label'"]),
        ({"stages": {"prospect": "MQL"}}, ["`stages.prospect`", "array", '"MQL"']),
        ({"stages": {"propsect": ["MQL"]}}, ["`stages`", "Did you mean 'prospect'"]),
        ({"stages": {"lead": ["a"], "prospect": ["A"]}}, ["given to both lead and prospect"]),
        ({"stages": {"lead": ["customer"]}}, ["is a stage of its own"]),
        ({"policy": {"grades": {"A": 50}}}, ["`policy.grades`", "must fall"]),
        ({"policy": {"grades": {"D": 50}}}, ["`policy.grades`", "A, B and C"]),
        ({"policy": {"next_steps": {"prospekt": []}}}, ["Did you mean 'prospect'"]),
        ({"policy": {"next_steps": {"lead": [{"text": "Call", "kind": "contct"}]}}}, ["`policy.next_steps.lead.0.kind`", "Did you mean 'contact'"]),
        ({"policy": {"next_steps": {"lead": [{"txt": "Call"}]}}}, ["`policy.next_steps.lead.0.txt`", "Did you mean 'text'"]),
        ({"policy": {"facts": {"authorty": {}}}}, ["`policy.facts.authorty", "Did you mean 'authority'"]),
        ({"policy": {"facts": {"need": {"knwon": []}}}}, ["`policy.facts.need.knwon`", "Did you mean 'known'"]),
        ({"policy": {"deal_stages": {"closing": ["Sign"], "proposal": ["SIGN"]}}}, ["`policy.deal_stages`", "given to both"]),
        ({"data_end": "soon"}, ["`data_end`", "ISO-8601", "'soon'"]),
        ({"languages": ["en", "se"]}, ["`languages`", "'se'"]),
    ],
)
def test_a_mistake_names_key_expectation_and_nearest_name(document: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(DataError) as caught:
        Funnel.from_document(document)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_all_mistakes_come_at_once() -> None:
    with pytest.raises(DataError) as caught:
        Funnel.from_document({"stagess": {}, "policy": {"capacity_per_day": "x"}})
    assert len(str(caught.value).splitlines()) == 2


def test_an_empty_file_is_the_defaults(tmp_path: Path) -> None:
    (tmp_path / "funnel.toml").write_text("")
    assert load_funnel(tmp_path / "funnel.toml") == Funnel()
    assert Funnel().policy.grades == {"A": 90, "B": 70, "C": 40}
    assert Funnel().policy.capacity_per_day == 40
    assert set(Funnel().policy.next_steps) == set(STAGES)


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    (tmp_path / "funnel.toml").write_bytes(b"\xef\xbb\xbfdata_end = 2026-11-01\n")
    assert load_funnel(tmp_path / "funnel.toml").data_end == "2026-11-01"


@pytest.mark.parametrize("content", [b"stages = [", "stages = 'å'".encode("utf-16")])
def test_a_file_that_is_no_toml_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "funnel.toml").write_bytes(content)
    with pytest.raises(DataError, match=r"funnel\.toml"):
        load_funnel(tmp_path / "funnel.toml")


def test_without_a_path_the_file_at_home_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADSCORE_HOME", str(tmp_path))
    assert load_funnel(None) == Funnel()
    (tmp_path / "funnel.toml").write_text("[policy]\ncapacity_per_day = 7\n")
    assert load_funnel(None).policy.capacity_per_day == 7
    with pytest.raises(DataError, match="can't be read"):
        load_funnel(tmp_path / "absent.toml")


def test_the_training_document_brings_back_labels_and_features_but_no_policy() -> None:
    written = {"stages": {"prospect": ["heiß"]}, "event_types": {"fax": {"as": "letter"}}, "policy": {"capacity_per_day": 3}}
    funnel = Funnel.from_document(written)
    document = funnel.training_document()
    assert "policy" not in document
    assert Funnel.from_document(document).training_document() == document
    assert Funnel.from_document(document).stage_of("HEISS") == "prospect"


@pytest.mark.parametrize(
    "name, direction",
    [
        ("email_open", "inbound"),
        ("EmailOpen", "inbound"),
        ("email_sent", "outbound"),
        ("outbound_call", "outbound"),
        ("inbound_call", "inbound"),
        ("newsletter_clicked", "inbound"),
        ("Letter sent", "outbound"),
        ("score_changed", None),
    ],
)
def test_directions_come_from_known_types_then_from_the_name(name: str, direction: str | None) -> None:
    assert Funnel().event_type(name).direction == direction


def test_a_declared_type_keeps_what_it_does_not_say() -> None:
    funnel = Funnel.from_document({"event_types": {"email_open": {"label": "Läste brevet"}}})
    meant = funnel.event_type("email_open")
    assert (meant.label, meant.direction, meant.level) == ("Läste brevet", "inbound", "interest")


def test_the_annotated_file_is_the_defaults_spelled_out() -> None:
    document = tomllib.loads((DOCS / "funnel.toml").read_text("utf-8"))
    funnel = Funnel.from_document(document)
    rules = funnel.policy.rules.model_copy(update={"min_fit": None})
    examples: dict[str, Any] = {"value_of_conversion": {}, "cost_of_contact": None, "deal_stages": {}, "rules": rules}
    assert funnel.policy.model_copy(update=examples) == Funnel().policy
    assert set(document) == {field.alias or name for name, field in Funnel.model_fields.items()}


@given(st.text("ab\n", max_size=8), st.text("ab*\n", max_size=6).map(lambda text: f"{text}*"))
def test_a_pattern_fits_as_a_regular_expression_does(name: str, pattern: str) -> None:
    for one in (pattern, pattern[::-1]):
        assert fitting(name, [one]) == (one if re.fullmatch(one.replace("*", ".*"), name, re.DOTALL) else None)


def test_a_pattern_of_many_stars_is_read_once() -> None:
    assert fitting("a" * 10_000, ["*a" * 200 + "*b"]) is None
