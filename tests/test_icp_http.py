"""`GET /v1/icp`: the champion's profile, as the team corrects it while the service runs."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from bundles import bundle, promote, store_at
from data.funnel import Correction
from registry.bundle import Bundle
from service import refusal, running
from serving.answers_icp import ProfileAnswer
from serving.reports.icp import icp_report, named, valued
from serving.words import LANGUAGES, Words
from test_profile import PROFILE


def profiled() -> Bundle:
    made = bundle()
    return replace(made, about={**made.about, "icp": PROFILE.document(), "left_out": [{"column": "lead.gone", "why": "left out by the leak report"}]})


def served(folder: Path, made: Bundle) -> Path:
    with store_at(folder) as store:
        promote(store, "3", made)
    return folder


def asked(client: TestClient, until: Callable[[dict[str, Any]], bool] = lambda _: True, **headers: str) -> dict[str, Any]:
    """The answer, once it is as it should be: funnel.toml is read again within a second or so."""
    for _ in range(600):
        answer = client.get("/v1/icp", headers=headers)
        assert answer.status_code == 200, answer.text
        ProfileAnswer.model_validate(answer.json())
        if until(answer.json()):
            break
        time.sleep(0.05)
    found: dict[str, Any] = answer.json()
    return found


def test_the_profile_is_told_and_follows_the_teams_corrections(home: Path) -> None:
    home.mkdir()
    with running(served(home, profiled())) as client:
        first = asked(client)
        assert (first["version"], first["target"], first["days"], first["leads"], first["reached"], first["rate"]) == (
            "3",
            "customer",
            120,
            450,
            45,
            0.1,
        )
        assert [one["value"] for one in first["ideal"]] == ["software", "director", "50-199"]
        assert [one["value"] for one in first["avoid"]] == ["retail", "specialist", "<50"]
        assert first["left_out"] == [{"column": "lead.gone", "why": "left out by the leak report"}]
        (home / "funnel.toml").write_text('[icp.account_industry]\nunwanted = ["software", "Biotech"]\n[icp.acount_employees]\nignore = true\n')
        second = asked(client, lambda answer: bool(answer["unused_corrections"]))
        assert second["avoid"][0]["value"] == "software"
        assert second["unused_corrections"] == [
            "icp.account_industry: too few leads have Biotech. It counts in a lead's fit, but not yet in what to do next.",
            "icp.acount_employees: the profile has no such attribute. Did you mean account_employees?",
        ]


def test_before_the_first_promotion_there_is_no_profile(home: Path) -> None:
    home.mkdir()
    with running(home, ready=False) as client:
        assert refusal(client.get("/v1/icp"))[:2] == (503, "NoChampion")


def test_an_older_bundle_says_that_it_has_none() -> None:
    report = icp_report(bundle(), {}, "1")
    ProfileAnswer.model_validate(report)
    assert (report["target"], report["attributes"]) == (None, [])
    assert report["notes"] == ["This model was trained before profiles were learned. Retrain to get one."]


def test_too_little_evidence_is_told_and_what_the_team_says_is_shown() -> None:
    poor = replace(PROFILE, target=None, days=None, reached=0, auc=None)
    made = replace(bundle(), about={"icp": poor.document()})
    report = icp_report(made, {"account_industry": Correction(wanted=("Mining",))}, "1")
    ProfileAnswer.model_validate(report)
    assert report["rate"] is None
    assert "Mining" in [one["value"] for one in report["ideal"]]
    assert report["notes"][0].startswith("Not enough evidence yet")


def test_an_ignored_attribute_stands_out_for_nothing() -> None:
    report = icp_report(profiled(), {"account_industry": Correction(ignore=True)}, "1")
    assert "account_industry" not in {one["attribute"] for one in [*report["ideal"], *report["avoid"]]}
    assert next(one for one in report["attributes"] if one["name"] == "account_industry")["ignored"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_attributes_and_values_are_told_in_every_language(language: str) -> None:
    words = Words(language)
    report = icp_report(profiled(), {}, "1", words)
    told = [named(words, attribute) for attribute in report["attributes"]]
    assert all(told)
    assert len(set(told)) == len(told)
    for attribute in report["attributes"]:
        values = [valued(words, attribute["kind"], value) for value in attribute["values"]]
        assert len(set(values)) == len(values)


def test_known_fields_are_told_as_salespeople_call_them() -> None:
    report = icp_report(profiled(), {}, "1")
    called = [named(Words(), attribute) for attribute in report["attributes"]]
    assert called == ["Account: Industry", "Account: Employees", "Job title: seniority", "Source"]
    assert named(Words("de"), report["attributes"][3]) == Words("de").text("Source")
    assert [named(Words(), one) for one in report["ideal"]] == ["Account: Industry", "Job title: seniority", "Account: Employees"]
    assert named(Words(), {"label": "Account manager", "kind": "category", "level": "opportunity"}) == "Account manager"


def test_bands_are_told_in_words() -> None:
    sizes = next(one for one in icp_report(profiled(), {}, "1")["attributes"] if one["name"] == "account_employees")
    assert [valued(Words(), "number", value) for value in sizes["values"]] == ["up to 49", "50–199", "200 or more"]
    role = next(one for one in icp_report(profiled(), {}, "1")["attributes"] if one["name"] == "job_title_seniority")
    assert [valued(Words(), "seniority", value) for value in role["values"]] == ["Specialist", "Director"]
