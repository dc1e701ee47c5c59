"""The word tables of job titles as one lexicon: what a word or phrase means, found by its first word."""

from functools import cache
from typing import Final, Literal, NamedTuple

from features.fold import fold
from features.title_areas import AREAS, HINTS
from features.title_people import PEOPLE
from features.title_words import ASSISTANT, ASSISTS, BREAKS, DEPUTY, ENDS, HEADS, LINKS, PAST, RANKS

Role = Literal["", "assists", "assistant", "deputy", "end", "past", "link", "break", "chief", "officer"]
# "Support engineer" is support, and so is "técnico de suporte": who merely makes or runs something yields to what it is, in any order.
HINT, YIELDING, AREA, COMMERCIAL, COMMERCIAL_PERSON = 1, 2, 3, 4, 5
_COMMERCIAL: Final = frozenset(("sales", "marketing", "finance", "hr", "purchasing", "legal"))


class Meaning(NamedTuple):
    """What a word says: a rank 0-6, a function with its strength (the strongest in a phrase wins), and a role among other words."""

    rank: int | None = None
    function: str | None = None
    strength: int = 0
    role: Role = ""


class Lexicon(NamedTuple):
    """Folded words and phrases with their meanings; `phrases` by first word (Chinese: first character), longest first.

    `words` are all single words that occur, in phrases too; `heads` end compounds and `stems` begin them.
    """

    meanings: dict[str, Meaning]
    words: frozenset[str]
    phrases: dict[str, tuple[tuple[str, ...], ...]]
    chinese: dict[str, tuple[str, ...]]
    heads: frozenset[str]
    stems: frozenset[str]


@cache
def lexicon() -> Lexicon:
    """Read from the word tables once, at the first title (about 5 ms)."""
    meanings: dict[str, Meaning] = {}
    _add_functions(meanings)
    for rank, text in RANKS.items():
        for word in _words(text):
            meanings[word] = meanings.get(word, Meaning())._replace(rank=rank)
    _add_roles(meanings)
    stems = frozenset(w for text in (*AREAS.values(), *HINTS.values()) for w in _words(text) if " " not in w and w.isalpha())
    words = frozenset(word for phrase in meanings for word in phrase.split())
    return Lexicon(meanings, words, _phrases(meanings), _chinese(meanings), frozenset(_words(HEADS)), stems)


def _words(text: str) -> list[str]:
    return [fold(" ".join(word.split())) for word in text.split(",") if word.strip()]


def _add_functions(meanings: dict[str, Meaning]) -> None:
    for function, text in HINTS.items():
        meanings.update({w: Meaning(None, function, HINT) for w in _words(text)})
    for function, text in AREAS.items():
        strength = YIELDING if function == "executive" else COMMERCIAL if function in _COMMERCIAL else AREA
        meanings.update({w: Meaning(None, function, strength) for w in _words(text)})
    for function, text in PEOPLE.items():
        makers = YIELDING if function in ("engineering", "operations") else AREA
        strength = COMMERCIAL_PERSON if function in _COMMERCIAL else makers
        meanings.update({w: Meaning(1, function, strength) for w in _words(text)})


def _add_roles(meanings: dict[str, Meaning]) -> None:
    roles: tuple[tuple[Role, str], ...] = (
        ("assists", ASSISTS),
        ("assistant", ASSISTANT),
        ("deputy", DEPUTY),
        ("end", ENDS),
        ("past", PAST),
        ("link", LINKS),
        ("chief", "chief, 首席"),
        ("officer", "officer, 官"),
        ("break", BREAKS + ", /, |, ;, &, +, •, ·, (, ), {, }, [, ], -"),
    )
    for role, text in roles:
        for word in _words(text):
            meanings[word] = meanings.get(word, Meaning())._replace(role=role)
    meanings[","] = Meaning(role="break")


def _phrases(meanings: dict[str, Meaning]) -> dict[str, tuple[tuple[str, ...], ...]]:
    found: dict[str, list[tuple[str, ...]]] = {}
    for phrase in meanings:
        if " " in phrase:
            words = tuple(phrase.split())
            found.setdefault(words[0], []).append(words)
    return {first: tuple(sorted(phrases, key=len, reverse=True)) for first, phrases in found.items()}


def _chinese(meanings: dict[str, Meaning]) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for word in meanings:
        if word[0] >= "一":
            found.setdefault(word[0], []).append(word)
    return {first: tuple(sorted(words, key=len, reverse=True)) for first, words in found.items()}
