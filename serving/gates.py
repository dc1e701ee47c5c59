"""The three gates of qualification, in order: does the company fit, is there a need that it can pay for now, and is somebody there who can decide?"""

from collections.abc import Mapping
from typing import NamedTuple

from data.policy import Facet, Gate, State
from serving.words import Words, msgid

States = Mapping[Facet, State]


class Firm(NamedTuple):
    """The company against the ideal customer profile: `fit` 0-100, None where nothing that counts is known; `enough` the fit that passes;
    `missing` the first attribute of the profile that is not known, and what people call it."""

    fit: float | None = None
    enough: float = 50.0
    missing: str | None = None


NOTHING_KNOWN = Firm()


class Held(NamedTuple):
    """The gate that holds a lead back, and which question would settle it: a text, and the name that goes into it."""

    gate: Gate
    question: str
    named: str | None = None

    def told(self, words: Words) -> dict[str, str]:
        question = words.text(self.question) if self.named is None else words.text(self.question, name=words.text(self.named))
        return {"name": self.gate, "question": question}


_OF_FIRM: Mapping[str, str] = {
    "industry": msgid("Which industry is the company in?"),
    "employees": msgid("How many people work at the company?"),
    "revenue": msgid("What does the company turn over in a year?"),
    "country": msgid("Which country would they buy from?"),
}
_ANOTHER = msgid("What is known of the company's {name}?")
_UNLIKE = msgid("The company is unlike those who bought: what would it buy this for?")
_NEED = msgid("Which problem do they want to solve, and what does it cost them today?")
_ABILITY = msgid("Is there a budget for this, or who would grant one?")
_TIMING = msgid("By when do they want it solved?")
_AUTHORITY = msgid("Who decides on a purchase like this, and who else has a say?")
_LIKELY = msgid("Can they decide this themselves, or who at the company signs?")


def held_at(firm: Firm, states: States, needed: States, qualified: bool = False) -> Held | None:
    """The first gate that is not passed; None where all are. `needed`: the least that must be known of each facet. `qualified`: somebody has held the
    company against the profile before, as they do with every prospect: then it passes if anything is known of it."""
    return _organization(firm, qualified) or _opportunity(states, needed) or _stakeholder(states, needed)


def _organization(firm: Firm, qualified: bool) -> Held | None:
    if firm.fit is not None and (qualified or firm.fit >= firm.enough):
        return None
    if firm.missing is not None:
        asked = _OF_FIRM.get(firm.missing)
        return Held("organization", _ANOTHER, firm.missing) if asked is None else Held("organization", asked)
    return None if firm.fit is None else Held("organization", _UNLIKE)


def _opportunity(states: States, needed: States) -> Held | None:
    for facet, question in (("need", _NEED), ("ability", _ABILITY), ("desire", _TIMING)):
        if _ORDER[states[facet]] < _ORDER[needed[facet]]:  # type: ignore[index]
            return Held("opportunity", question)
    return None


def _stakeholder(states: States, needed: States) -> Held | None:
    if _ORDER[states["authority"]] >= _ORDER[needed["authority"]]:
        return None
    return Held("stakeholder", _LIKELY if states["authority"] == "likely" else _AUTHORITY)


_ORDER: Mapping[State, int] = {"unknown": 0, "likely": 1, "known": 2}
