"""Words of six languages: which one is chosen, and how numbers, dates, durations and texts are told in it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.words import ENGLISH, FORMS, LANGUAGES, Words, words_for

NOON = 1_795_348_800_000_000  # 2026-11-22T12:00:00Z
MINUTE, DAY = 60_000_000, 86_400_000_000
SPACE = "\u00a0"


@pytest.mark.parametrize(
    ("header", "tag"),
    [
        (None, "en"), ("", "en"), ("sv", "sv"), ("sv-SE,sv;q=0.9,en;q=0.8", "sv-SE"), ("SV-se", "sv-SE"),
        ("en;q=0.5, de;q=0.9", "de"), ("de;q=0, sv;q=0.1", "sv"), ("de;q=0.000", "en"), ("fr, nb;q=0.3", "nb"), ("fr", "en"),
        ("no", "nb"), ("nn-NO", "nb-NO"), ("zh-Hans-CN", "zh"), ("zh-TW", "zh"), ("pt-PT", "pt-PT"), ("de-XX", "de"), ("de-1996", "de"),
        ("*", "en"), ("fr;q=1,*;q=0.5,sv;q=0.1", "en"), ("de;q=1.5,sv", "sv"), ("de;q=abc,sv;q=0.2", "sv"), ("de;q=nan,sv;q=0.2", "sv"),
        ("sv ; q = 0.4 , de ; q=0.3", "sv"), ("en-GB", "en-GB"), (";;,=,;q=1,,", "en"), ("\u00e5\u00e4\u00f6, de", "de"),
    ],
)  # fmt: skip
def test_the_best_language_of_a_header(header: str | None, tag: str) -> None:
    assert words_for(header).tag == tag


@given(st.text(max_size=700))
def test_no_header_is_refused(header: str) -> None:
    assert words_for(header).language in LANGUAGES


@pytest.mark.parametrize(
    ("header", "chosen", "tag"),
    [
        ("de-CH,de;q=0.9", "sv", "sv"),
        ("fr, de-CH;q=0.1", "de", "de-CH"),
        ("de", "xx", "de"),
        (None, "zh", "zh"),
        ("sv", None, "sv"),
        ("sv", "", "sv"),
    ],
)
def test_a_choice_goes_before_the_header_and_keeps_its_region(header: str | None, chosen: str | None, tag: str) -> None:
    assert words_for(header, chosen).tag == tag


@pytest.mark.parametrize(
    ("tag", "number", "small", "percent", "money"),
    [
        ("en", "1,234,567", "0.12", "31%", "€12,346"),
        ("sv", f"1{SPACE}234{SPACE}567", "0,12", f"31{SPACE}%", f"12{SPACE}346{SPACE}€"),
        ("de", "1.234.567", "0,12", f"31{SPACE}%", f"12.346{SPACE}€"),
        ("de-CH", "1’234’567", "0.12", "31%", f"EUR{SPACE}12’346"),
        ("pt", "1.234.567", "0,12", "31%", f"€{SPACE}12.346"),
        ("nb", f"1{SPACE}234{SPACE}567", "0,12", f"31{SPACE}%", f"12{SPACE}346{SPACE}€"),
        ("zh", "1,234,567", "0.12", "31%", "€12,346"),
    ],
)
def test_numbers_in_their_local_form(tag: str, number: str, small: str, percent: str, money: str) -> None:
    words = words_for(tag)
    assert (words.number(1_234_567), words.number(0.1234), words.percent(0.314), words.money(12_345.6, "EUR")) == (number, small, percent, money)


def test_numbers_that_are_none() -> None:
    assert [words.number(float("nan")) for words in (ENGLISH, Words("sv"))] == ["–", "–"]
    assert [words.number(float("inf")) for words in (ENGLISH, Words("sv"))] == ["–", "–"]
    assert [words.percent(float("nan")) for words in (ENGLISH, Words("sv"))] == ["–", "–"]
    assert ENGLISH.money(12_345.6, None) == "12,346"


def test_decimals_are_as_many_as_asked_for() -> None:
    assert [ENGLISH.number(2, 1), Words("de").number(2, 1), Words("de").number(1_234.56, 0)] == ["2.0", "2,0", "1.235"]
    assert [ENGLISH.percent(0.3146, 1), Words("sv").percent(0.3146, 1)] == ["31.5%", f"31,5{SPACE}%"]


@pytest.mark.parametrize("language", list(LANGUAGES))
@given(value=st.floats(-1e9, 1e9) | st.integers(-(10**12), 10**12))
def test_every_language_says_the_same_digits(language: str, value: float) -> None:
    def digits(text: str) -> str:
        return "".join(c for c in text if c.isdigit()).strip("0")

    words = Words(language)
    assert digits(words.number(value, 2)) == digits(ENGLISH.number(value, 2))
    assert digits(words.percent(value, 1)) == digits(ENGLISH.percent(value, 1))


@pytest.mark.parametrize(
    ("language", "date", "month", "instant"),
    [
        ("en", "Nov 22, 2026", "November 2026", "Nov 22, 2026, 12:00 PM UTC"),
        ("sv", "22 nov. 2026", "november 2026", "22 nov. 2026 12:00 UTC"),
        ("de", "22.11.2026", "November 2026", "22.11.2026, 12:00 UTC"),
        ("pt", "22 de nov. de 2026", "novembro de 2026", "22 de nov. de 2026 12:00 UTC"),
        ("nb", "22. nov. 2026", "november 2026", "22. nov. 2026, 12:00 UTC"),
        ("zh", "2026年11月22日", "2026年11月", "2026年11月22日 12:00 UTC"),
    ],
)
def test_dates_are_told_in_utc(language: str, date: str, month: str, instant: str) -> None:
    words = Words(language)
    told = [words.date(NOON), words.month(NOON), words.instant(NOON)]
    assert [text.replace("\u202f", " ").replace(SPACE, " ") for text in told] == [date, month, instant]


def test_an_instant_before_1970_has_a_date() -> None:
    assert ENGLISH.date(-1) == "Dec 31, 1969"


@pytest.mark.parametrize(
    ("language", "one", "many", "hours", "little"),
    [
        ("en", "1 day", "3 days", "5 hours", "less than a minute"), ("sv", "1 dag", "3 dagar", "5 timmar", "mindre än en minut"),
        ("de", "1 Tag", "3 Tage", "5 Stunden", "weniger als eine Minute"), ("pt", "1 dia", "3 dias", "5 horas", "menos de um minuto"),
        ("nb", "1 dag", "3 dager", "5 timer", "mindre enn ett minutt"), ("zh", "1 天", "3 天", "5 小时", "不到一分钟"),
    ],
)  # fmt: skip
def test_durations(language: str, one: str, many: str, hours: str, little: str) -> None:
    assert [Words(language).duration(days) for days in (1.0, 3.2, 0.2, 0.0)] == [one, many, hours, little]


def test_how_long_ago() -> None:
    assert [ENGLISH.ago(NOON - back, NOON) for back in (3 * DAY, MINUTE, MINUTE - 1, 0, -DAY)] == ["3 days ago", "1 minute ago", *["just now"] * 3]
    assert Words("sv").ago(NOON - 3 * DAY, NOON) == "för 3 dagar sedan"


def test_lists() -> None:
    assert [Words(language).listed(["a", "b", "c"]) for language in ("en", "sv", "zh")] == ["a, b, and c", "a, b och c", "a、b和c"]


def test_placeholders_say_their_form() -> None:
    text = "{share:percent} of {n} since {day:date}, {days:duration}: {stage:term}, {who}"
    told = ENGLISH.text(text, share=0.5, n=1_200, day=NOON, days=2, stage="lead", who="{n}")
    assert told == "50% of 1,200 since Nov 22, 2026, 2 days: lead, {n}"
    assert Words("zh").text("{stage:term}", stage="lead") == "线索"
    assert set(FORMS) == {"", "percent", "percent1", "duration", "date", "instant", "month", "term"}


def test_a_text_without_values_is_not_looked_into() -> None:
    assert ENGLISH.text("{n} is what a team wrote {") == "{n} is what a team wrote {"
    assert Words("de").text("") == ""


def test_a_value_that_the_text_asks_for_must_be_there() -> None:
    with pytest.raises(KeyError):
        ENGLISH.text("{a} and {b}", a=1)


@pytest.mark.parametrize(("n", "text"), [(0, "0 dagar"), (1, "1 dag"), (2, "2 dagar"), (1_000, f"1{SPACE}000 dagar")])
def test_plurals(n: int, text: str) -> None:
    assert Words("sv").plural("{n} day", "{n} days", n) == text


def test_a_text_that_nobody_translated_is_english() -> None:
    assert Words("sv").text("nobody says this, {who}", who="x") == "nobody says this, x"
    assert Words("sv").plural("{n} unheard", "{n} unheards", 2) == "2 unheards"
