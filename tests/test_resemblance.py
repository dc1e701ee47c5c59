"""How well a lead matches the profile, and why, as its page says it."""

from dataclasses import replace
from typing import Any

import pytest

from profiles import PROFILE, trait, value
from serving.pages.resemblance import NAMED, resemblance
from serving.words import ENGLISH, words_for


def held(account: dict[str, object], **lead: object) -> dict[str, Any]:
    return {"lead": lead, "account": account}


def test_what_matches_and_what_does_not_the_strongest_first() -> None:
    told = resemblance(PROFILE, held({"industry": "it", "employees": 12}, job_title="Director of IT", source="web"), ENGLISH)
    assert told is not None
    assert list(told.fits) == [("Account: Industry", "it"), ("Job title: seniority", "Director")]
    assert list(told.differs) == [("Account: Employees", "12")]
    assert told.missing == []
    assert told.score == 80, "four of five match it less"


def test_what_is_not_known_is_asked_for_where_it_says_something() -> None:
    told = resemblance(PROFILE, held({"industry": "retail"}), ENGLISH)
    assert told is not None
    assert (list(told.fits), list(told.differs)) == ([], [("Account: Industry", "retail")])
    assert list(told.missing) == ["Account: Employees", "Job title: seniority"], "where a lead came from says nothing"


@pytest.mark.parametrize("fields", [held({}), held({"industry": "unknown"}, source="web"), held({"employees": "many"})])
def test_nothing_is_said_of_who_is_not_known(fields: dict[str, Any]) -> None:
    assert resemblance(PROFILE, fields, ENGLISH) is None


def test_without_a_profile_there_is_nothing_to_be_like() -> None:
    assert resemblance(None, held({"industry": "it"}), ENGLISH) is None
    assert resemblance(replace(PROFILE, spread={}), held({"industry": "it"}), ENGLISH) is None


def test_a_few_are_told_and_in_the_readers_language() -> None:
    many = replace(PROFILE, traits=tuple(trait(f"t{n}", f"account.t{n}", "category", f"Account t{n}", value("a", n / 10)) for n in range(1, 9)))
    told = resemblance(many, held({f"t{n}": "a" for n in range(1, 9)}), ENGLISH)
    assert told is not None
    assert [name for name, _ in told.fits] == [f"Account: T{n}" for n in range(8, 8 - NAMED, -1)]
    swedish = resemblance(PROFILE, held({}, job_title="Director"), words_for("sv", None))
    assert swedish is not None
    assert swedish.fits[0][1] != "Director"
