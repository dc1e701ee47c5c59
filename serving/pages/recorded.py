"""What a training wrote down in English, told in another language: a sentence is known by its pattern, which is the text that is translated.

One that no pattern knows stays as it was written.
"""

import re
from functools import lru_cache

from data.contract import EXITS, STAGES
from serving.words import Words, msgid

PATTERNS = (
    msgid("no history says since when it is known: it counts from the lead's creation on, whenever it was filled in"),
    msgid("filled for {with_it} of the leads that {reached} and {without} of the others of their age: people fill it in afterwards"),
    msgid("filled for {with_it} of the leads that {reached} and {without} of the others of their age, and no history says when"),
    msgid("filled for {with_it} of those who converted and {without} of the others: people fill it in afterwards"),
    msgid("{events} of its {all} events come at or after the entry into {stage}: it follows the transition and can't announce it"),
    msgid("its name ({word}) speaks of an outcome or of somebody's judgement, which may have been written down afterwards"),
    msgid("{fields} are missing in exactly the same rows: filled in together, at a moment that nothing tells"),
    msgid("one of its {values} values has {conversions} of the conversions and {rows} of the rows"),
    msgid("a number that differs in every row: an identifier"),
    msgid("a number that differs in nearly every row: an identifier"),
    msgid("nearly every value is different: an identifier or free text"),
    msgid("personal data never reach a model"),
    msgid("dates without a history"),
    msgid("left out by funnel.toml"),
    msgid("left out by the leak report"),
    msgid("nothing served before it."),
    msgid(
        "log loss {ours} against {theirs} of champion {champion} on {rows} test landmarks that neither had seen, better by {better} +- {noise}: {why}"
    ),
    msgid("beyond noise."),
    msgid("not better beyond noise, so champion {champion} stays."),
    msgid("worse beyond noise at {hops}, so champion {champion} stays."),
    msgid("not better beyond noise, but the champion's probabilities don't come true at {hops}, and its own do."),
    msgid("{hop}: better by {better} +- {noise}."),
    msgid("{moved} of {leads} open leads would change their grade ({up} up, {down} down): {stages}."),
    msgid("reached {stage}"),
    msgid("promoted by {who}"),
    msgid("rolled back by {who}"),
    msgid("this machine"),
)
NAMES = frozenset({*STAGES, *EXITS})
LONGEST = 1_000
_NUMBER = re.compile(r"-?\d[\d,]*(\.\d+)?%?")
_TOGETHER = "; "


def told_again(words: Words, text: str) -> str:
    """The sentence in this language, or sentences that are joined by semicolons; numbers in the local form."""
    if words.language == "en" or len(text) > LONGEST:
        return text
    for pattern, read in _readers():
        found = read.fullmatch(text)
        if found is not None:
            return words.text(pattern, **{name: _value(words, value) for name, value in found.groupdict().items()})
    parts = text.split(_TOGETHER)
    return _TOGETHER.join(told_again(words, part) for part in parts) if len(parts) > 1 else text


@lru_cache(maxsize=1)
def _readers() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Each pattern with what reads its sentences; those that say more come first."""
    ordered = sorted(PATTERNS, key=lambda pattern: -len(re.sub(r"\{\w+\}", "", pattern)))
    return tuple((pattern, re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>.+?)", re.escape(pattern)))) for pattern in ordered)


def _value(words: Words, text: str) -> str:
    if text in NAMES:
        return words.text(text)
    if not _NUMBER.fullmatch(text):
        return told_again(words, text)
    number, decimals = float(text.rstrip("%").replace(",", "")), len(text.rstrip("%").partition(".")[2])
    return words.percent(number / 100, decimals) if text.endswith("%") else words.number(number, decimals)
