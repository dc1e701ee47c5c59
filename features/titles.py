"""Job titles in six languages (en, sv, de, pt, nb, zh) -> how senior somebody is and what they work with."""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from features.fold import fold
from features.title_lexicon import HINT, Lexicon, Meaning, lexicon
from features.title_words import FUNCTIONS

__all__ = ["FUNCTIONS", "Title", "parse_title"]

LONGEST: Final = 200
_TOKEN: Final = re.compile(r"[a-z]&[a-z](?![^\W\d_])|[一-鿿]+|[^\W\d_一-鿿]+|(?<=\s)[-–—](?=\s)|[,;/|&+•·(){}\[\]@]")
_GENDER: Final = re.compile(
    r"(?<=[^\W\d_]{3})(?:[:*_·]|/-?|\()(?:in(?:nen)?|r|a|o|e|ora|frau)\)?(?![^\W\d_])|\([a-z](?:/[a-z])+\)|(?<=\w)\((?:in|a|o)\)"
)
_INITIALS: Final = re.compile(r"(?<=\b[^\W\d_])\.\s?(?=[^\W\d_]\b)")
_LETTER_AND_LETTER: Final = re.compile(r"\b([a-z]) ?& ?([a-z])\b")


class Title(NamedTuple):
    """Seniority 0 student or assistant, 1 specialist, 2 senior, 3 manager, 4 director, 5 vice president, 6 chief or owner; function of FUNCTIONS.

    None where the title does not tell.
    """

    seniority: int | None
    function: str | None


def parse_title(title: str | None) -> Title:
    """Seniority and function of a job title; `Title(None, None)` for no title or one without a known word. Never fails.

    Of several functions the first counts ("Head of Sales & Marketing" is sales), of several ranks the highest. Whoever assists is 0 whatever
    the rank of the one assisted; a deputy is one below; what somebody formerly was, or whom they report to, does not count.
    """
    return _parse(title[:LONGEST]) if title else Title(None, None)


@lru_cache(maxsize=65_536)
def _parse(title: str) -> Title:
    known = lexicon()
    segments = _segments(_meanings(_tokens(title, known), known))
    seniority, function = _seniority(segments), _function(segments)
    return Title(seniority, "operations" if seniority == 0 and function == "executive" else function)


def _tokens(title: str, known: Lexicon) -> list[str]:
    """Words and signs of the folded title, each in the form that the lexicon has, where it has one."""
    text = fold(title)
    if "." in text:
        text = _INITIALS.sub("", text)
    if "&" in text:
        text = _LETTER_AND_LETTER.sub(r"\1&\2", text)
    if not text.isalpha():
        text = _GENDER.sub("", text)
    return [t if t in known.words else next((f for f in _forms(t) if f in known.words), t) for t in _TOKEN.findall(text)]


def _meanings(tokens: Sequence[str], known: Lexicon) -> Iterator[Meaning]:
    i = 0
    while i < len(tokens):
        token = tokens[i]
        if token[0] >= "一":
            yield from _chinese(token, known)
        elif token in known.phrases and (phrase := _phrase(tokens, i, known)):
            yield known.meanings[" ".join(phrase)]
            i += len(phrase) - 1
        elif meaning := known.meanings.get(token) or _compound(token, known):
            yield meaning
        i += 1


def _phrase(tokens: Sequence[str], start: int, known: Lexicon) -> tuple[str, ...] | None:
    for phrase in known.phrases[tokens[start]]:
        if tuple(tokens[start : start + len(phrase)]) == phrase:
            return phrase
    return None


def _chinese(text: str, known: Lexicon) -> Iterator[Meaning]:
    """Chinese writes without spaces: the longest known word from each place on."""
    i = 0
    while i < len(text):
        word = next((w for w in known.chinese.get(text[i], ()) if text.startswith(w, i)), "")
        if word:
            yield known.meanings[word]
        i += max(1, len(word))


def _forms(word: str) -> Iterator[str]:
    """The word without a feminine or definite ending, with ae, oe, ue read as ä, ö, ü, and both."""
    if len(word) >= 5:
        for ending in ("innen", "in", "en", "a"):
            if word.endswith(ending):
                yield word[: -len(ending)]
        if word.endswith("a"):
            yield f"{word[:-1]}o"
    plain = word.replace("ae", "a").replace("oe", "o").replace("ue", "u")
    if plain != word:
        yield plain
        yield from _forms(plain)


def _compound(word: str, known: Lexicon) -> Meaning | None:
    """A head with something before it ("einkaufs|leiter"), or an area with something after it ("vertriebs|abteilung")."""
    for form in (word, *_forms(word)):
        for cut in range(2, len(form) - 3):
            if form[cut:] in known.heads:
                return _joined(form[:cut], known.meanings[form[cut:]], known)
    return _started(word, known, 6)


def _joined(modifier: str, head: Meaning, known: Lexicon) -> Meaning:
    if modifier == "senior":
        return head._replace(rank=max(head.rank or 0, 2))
    area = _area(modifier, known)
    return head._replace(function=area.function, strength=area.strength) if area and area.strength > head.strength else head


def _area(part: str, known: Lexicon) -> Meaning | None:
    """The area that the first part of a compound names as a whole, or starts or ends with."""
    for name in (part, part.removesuffix("s"), part.removesuffix("es"), part.removesuffix("n")):
        if name in known.meanings and known.meanings[name].function:
            return known.meanings[name]
    found = next((part[n:] for n in range(1, len(part) - 3) if part[n:] in known.stems), None)
    return known.meanings[found] if found else _started(part, known, 4)


def _started(word: str, known: Lexicon, letters: int) -> Meaning | None:
    """The area that a word starts with, in so many letters at least; without a rank of its own."""
    found = next((word[:n] for n in range(len(word) - 1, letters - 1, -1) if word[:n] in known.stems), None)
    return known.meanings[found]._replace(rank=None, role="") if found else None


def _segments(meanings: Iterator[Meaning]) -> list[list[Meaning]]:
    """The parts between commas, "and" and the like, without those about the past and without what follows "to" or "at"."""
    segments: list[list[Meaning]] = [[]]
    past = False
    for meaning in meanings:
        if meaning.role == "end":
            break
        if meaning.role == "break":
            segments.append([])
        else:
            segments[-1].append(meaning)
            past = past or meaning.role == "past"
    return [s for s in segments if not any(m.role == "past" for m in s)] if past else segments


def _seniority(segments: Sequence[Sequence[Meaning]]) -> int | None:
    if any(_assists(s) for s in segments):
        return 0
    return max([rank for s in segments if (rank := _rank(s)) is not None], default=None)


def _assists(segment: Sequence[Meaning]) -> bool:
    roles = [m.role for m in segment]
    return "assists" in roles or ("assistant" in roles and not _leads(segment[roles.index("assistant") + 1 :]))


def _leads(after: Sequence[Meaning]) -> bool:
    """Whether a manager or above follows with no "of" between: "assistant director", not "assistant of the director"."""
    for meaning in after:
        if meaning.role == "link":
            return False
        if (meaning.rank or 0) >= 3:
            return True
    return False


def _rank(segment: Sequence[Meaning]) -> int | None:
    ranks = [m.rank for m in segment if m.rank is not None]
    roles = [m.role for m in segment]
    if "chief" in roles and "officer" in roles:
        ranks.append(6)
    below = next((i for i, role in enumerate(roles) if role in ("deputy", "assistant")), None)
    lowered = below is not None and _leads(segment[below + 1 :])
    return max(ranks) - lowered if ranks else None


def _function(segments: Sequence[Sequence[Meaning]]) -> str | None:
    """The strongest of the first part that has one beyond a hint."""
    best = [max(s, key=lambda m: m.strength, default=Meaning()) for s in segments]
    sure = [m for m in best if m.strength > HINT] + [m for m in best if m.strength == HINT]
    return sure[0].function if sure else None
