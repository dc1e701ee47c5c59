"""Every text that people read has a translation in every language, with the same placeholders, and no template says anything else."""

import re
from itertools import chain
from string import Formatter

import pytest
from babel.messages.catalog import Catalog

from serving import language
from serving.language import OTHERS, SOURCES, Text, catalogue, constants, path_of, texts, written
from serving.words import ENGLISH, FORMS, Words
from templates import bare, bare_of

TEXTS = texts()


def parts(text: Text) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text)


def translated(code: str) -> dict[Text, Text]:
    return {text: told for text, told in catalogue(code).items() if all(parts(told))}


def placeholders(text: str) -> list[tuple[str, str]]:
    return sorted({(name, form or "") for _, name, form, _ in Formatter().parse(text) if name is not None} | set(re.findall(r"%\((\w+)\)(s)", text)))


def test_there_are_texts() -> None:
    assert len(TEXTS) > 300
    assert {"Skip to the content", "{phrase} {value} in the last 7 days", "Viewed the pricing page", "prospect", ("{n} day", "{n} days")} <= TEXTS


@pytest.mark.parametrize("code", OTHERS)
def test_every_text_is_translated_and_nothing_else(code: str) -> None:
    known = catalogue(code)
    assert sorted(map(str, TEXTS - set(known))) == [], "python -m serving.language adds them"
    assert sorted(map(str, set(known) - TEXTS)) == [], "python -m serving.language drops them"
    assert sorted(str(text) for text, told in known.items() if not all(parts(told))) == [], f"to be translated in {path_of(code)}"


@pytest.mark.parametrize("code", OTHERS)
def test_placeholders_and_plurals_agree(code: str) -> None:
    forms = Catalog(locale=code).num_plurals
    for text, told in translated(code).items():
        assert len(parts(told)) == (1 if isinstance(text, str) else forms), text
        allowed = [placeholders(part) for part in parts(text)]
        for part in parts(told):
            assert placeholders(part) in allowed, (text, part)


def test_placeholders_name_a_form_that_there_is() -> None:
    for part in chain.from_iterable(map(parts, TEXTS)):
        assert all(form in FORMS or form == "s" for _, form in placeholders(part)), part


@pytest.mark.parametrize("code", OTHERS)
def test_a_catalogue_is_as_the_command_writes_it(code: str) -> None:
    assert path_of(code).read_bytes() == written(code, catalogue(code))


@pytest.mark.parametrize("code", OTHERS)
def test_a_sentence_keeps_its_end_and_the_words_their_case(code: str) -> None:
    """A full stop, a question mark or a colon at the end stays; nothing is left in English by accident."""
    known = translated(code)
    for text, told in known.items():
        for part in parts(told):
            last = parts(text)[-1][-1]
            same = {".": ".。", "?": "?？", ":": ":："}
            assert last not in same or part[-1] in same[last], (text, part)
            assert part == part.strip(), part
    same_as_english = [text for text, told in known.items() if text == told and len(str(text).split()) > 3]
    assert same_as_english == []


def test_the_terms_are_those_of_salespeople() -> None:
    told = {code: [Words(code).text(stage) for stage in ("lead", "prospect", "opportunity")] for code in OTHERS}
    assert told == {
        "sv": ["lead", "prospekt", "försäljningsmöjlighet"],
        "de": ["Lead", "Interessent", "Verkaufschance"],
        "pt": ["lead", "prospect", "oportunidade"],
        "nb": ["lead", "prospekt", "mulighet"],
        "zh": ["线索", "潜在客户", "商机"],
    }


@pytest.mark.parametrize("path", sorted(SOURCES.rglob("*.html")), ids=lambda path: path.name)
def test_no_template_says_anything_untranslated(path: object) -> None:
    assert bare_of(path) == []  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("<p>Hello</p>", ["Hello"]),
        ("<p>{{ _('Hello') }}</p>", []),
        ("<p>{% trans %}Hello{% endtrans %} you</p>", ["you"]),
        ("<p>{% trans n=1 %}one{% pluralize %}many{% endtrans %}</p>", []),
        ('<img alt="A picture"><a title="{{ _("x") }}" href="/queue">{{ x }}</a>', ["A picture"]),
        ("<script>var x = 1;</script><style>p { color: red }</style>", []),
        ("{# A comment #}<p>90 % · — leadscore &amp; x</p>", []),
        ("{% if a %}yes{% else %}{{ b }}{% endif %}", ["yes"]),
    ],
)
def test_bare_words_are_found(source: str, found: list[str]) -> None:
    assert bare(source) == found


def test_what_is_said_in_code_is_found() -> None:
    import ast

    def said(code: str) -> list[Text]:
        return list(language._of_call(ast.parse(code, mode="eval").body))  # type: ignore[arg-type]

    assert said('words.text("a")') == ["a"]
    assert said('msgid("a" if x else "b")') == ["a", "b"]
    assert said('words.plural("{n} a", "{n} b", n)') == [("{n} a", "{n} b")]
    assert said("words.text(name)") == []
    assert said('other("a")') == []
    assert constants(ast.parse("'a' if x else y", mode="eval").body) == ["a"]
    assert ENGLISH.text("a") == "a"
