"""Reasons in six languages: patterns taken apart from the schema's English sentences, told with the team's own names as they are."""

import math

import pytest

from features.attributes import Attribute
from features.declarations import EventType
from features.schema import Schema
from serving.sentences import NAMES, Sentences, patterns, sentences_of
from serving.texts import sentence
from serving.words import ENGLISH, LANGUAGES, Words

TYPES = (
    EventType("pricing_page_view", "Viewed the pricing page", "interest", "inbound", True),
    EventType("kick_off", "Kick-off {at nine", "interest", None, False),
)
ATTRIBUTES = (
    Attribute("industry", "category", ("account.industry",), "organization", "Industry", ("is retail", "not known", "software")),
    Attribute("employees", "number", ("account.employees",), "organization", "Employees"),
    Attribute("job_title", "title", ("lead.job_title",), "stakeholder", "Job title"),
    Attribute("email", "email", ("lead.email", "account.domain"), "stakeholder", "Email"),
    Attribute("phone", "phone", ("lead.phone", "lead.country"), "stakeholder", "Phone"),
    Attribute("shoe_size", "number", ("lead.shoe_size",), "opportunity", "Shoe size"),
)
SCHEMA = Schema(("lead", "prospect"), ("lost",), TYPES, ATTRIBUTES)
VALUES = (0.0, 1.0, 2.5, math.nan)


def told(language: str, name: str, value: float) -> str:
    return Sentences(SCHEMA, Words(language)).of_column(name, value).replace("\u00a0", " ")


@pytest.mark.parametrize("value", VALUES)
def test_english_is_what_the_schema_says(value: float) -> None:
    english = Sentences(SCHEMA, ENGLISH)
    for place, column in enumerate(SCHEMA.columns):
        assert english.sentence(place, value) == sentence(column, value)


@pytest.mark.parametrize("value", VALUES)
def test_patterns_put_together_are_the_english_sentence(value: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.words._catalogue", lambda _: EnglishCatalogue())
    foreign = Sentences(SCHEMA, Words("xx"))
    monkeypatch.setattr(Words, "locale", property(lambda _: "en"))
    for place, column in enumerate(SCHEMA.columns):
        said, english = foreign.sentence(place, value), sentence(column, value)
        assert said == english or said == english.replace("kick", "Kick"), column.name


class EnglishCatalogue:
    def gettext(self, text: str) -> str:
        return text

    def ngettext(self, one: str, many: str, n: int) -> str:
        return one if n == 1 else many


@pytest.mark.parametrize(
    ("language", "name", "value", "text"),
    [
        ("sv", "pricing_page_view_count_7d", 3.0, "Besökte prissidan 3 gånger de senaste 7 dagarna"),
        ("sv", "pricing_page_view_recency", 3.2, "Besökte prissidan, senast för 3 dagar sedan"),
        ("sv", "first_touch=pricing_page_view", 1.0, "Första kontakt: besökte prissidan"),
        ("sv", "kick_off_count_7d", 1.0, "Kick-off {at nine en gång de senaste 7 dagarna"),
        ("sv", "industry=software", 1.0, "Bransch: software"),
        ("sv", "industry=not known", 1.0, "Bransch: not known"),
        ("sv", "industry=(missing)", 1.0, "Bransch: inte känt"),
        ("sv", "industry=software", math.nan, "Bransch: inte känt"),
        ("sv", "shoe_size", 42.0, "Shoe size: 42"),
        ("de", "pricing_page_view_count_7d", 0.0, "Besuchte die Preisseite: kein Mal in den letzten 7 Tagen"),
        ("de", "pricing_page_view_count_30d", 1.0, "Besuchte die Preisseite: einmal in den letzten 30 Tagen"),
        ("de", "job_title.function=sales", 1.0, "Arbeitet im Vertrieb"),
        ("de", "employees", 1_250.0, "Mitarbeiterzahl: 1.250"),
        ("pt", "time_in_stage", 12.2, "Nesta etapa há 12 dias"),
        ("nb", "all_trend_7d_30d", 0.9, "Aktivitet av noe slag øker de siste 7 dagene mot 30 dager"),
        ("nb", "entry_weekday", 2.0, "Kom inn i fasen på en onsdag"),
        ("zh", "inbound_share_30d", 0.25, "最近 30 天的活动中有 25% 来自线索"),
        ("zh", "email=free", 1.0, "邮箱是免费邮箱"),
    ],
)
def test_sentences(language: str, name: str, value: float, text: str) -> None:
    assert told(language, name, value) == text


def test_a_reason_is_found_again_by_its_feature_and_value() -> None:
    swedish = sentences_of(SCHEMA, Words("sv"))
    assert swedish.reason("industry", "software") == "Bransch: software"
    assert swedish.reason("industry", None) == "Bransch: inte känt"
    assert swedish.reason("pricing_page_view_count_7d", 2) == "Besökte prissidan två gånger de senaste 7 dagarna"
    assert swedish.reason("pricing_page_view_recency", None) == "Besökte prissidan: aldrig hittills"
    assert [swedish.reason("no such feature", 1), swedish.reason("industry", "gone"), swedish.reason("employees", "many")] == [None] * 3
    assert swedish.of_column("no such column", 1.0) == "no such column"


@pytest.mark.parametrize("language", [language for language in LANGUAGES if language != "en"])
def test_nothing_stays_english_but_the_teams_own_words(language: str) -> None:
    words = Words(language)
    same = {text for text in (*patterns(), *NAMES) if words.text(text) == text}
    assert same <= {"Budget", "Position", "Region", "Segment", "Website", "Product", "Campaign"}
