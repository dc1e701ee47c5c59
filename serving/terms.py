"""What the funnel's own words are called on pages: stages, actions, and what a sort is by, as texts of the catalogues."""

from collections.abc import Mapping
from types import MappingProxyType

from serving.sentences import LABELS
from serving.words import Words, msgid

STAGES: Mapping[str, str] = MappingProxyType(
    {
        "lead": msgid("Lead"),
        "prospect": msgid("Prospect"),
        "opportunity": msgid("Opportunity"),
        "customer": msgid("Customer"),
        "disqualified": msgid("Disqualified"),
        "lost": msgid("Lost"),
    }
)
ACTIONS: Mapping[str, str] = MappingProxyType(
    {
        "advance": msgid("Advance"),
        "work_now": msgid("Work now"),
        "nurture": msgid("Nurture"),
        "hold": msgid("Hold"),
        "recycle": msgid("Recycle"),
        "disqualify": msgid("Disqualify"),
    }
)
_FIELDS = LABELS | {
    msgid("First name"), msgid("Last name"), msgid("Name"), msgid("Company"), msgid("Domain"), msgid("Owner"), msgid("Newsletter"),
}  # fmt: skip
_CHANCES: Mapping[str, str] = MappingProxyType(
    {
        "prospect": msgid("{chance} chance to become a prospect within {days} days"),
        "opportunity": msgid("{chance} chance to become an opportunity within {days} days"),
        "customer": msgid("{chance} chance to become a customer within {days} days"),
        "outcome": msgid("{chance} chance of a yes within {days} days"),
    }
)
_CHANCES_AT_ALL: Mapping[str, str] = MappingProxyType(
    {
        "prospect": msgid("{chance} chance to become a prospect"),
        "opportunity": msgid("{chance} chance to become an opportunity"),
        "customer": msgid("{chance} chance to become a customer"),
        "outcome": msgid("{chance} chance of a yes"),
    }
)


def stage(words: Words, name: str) -> str:
    """A stage or exit; a name that is none of the funnel's (the outcome of a flat file) as it is."""
    return words.text(STAGES[name]) if name in STAGES else name


def action(words: Words, name: str) -> str:
    """What is recommended."""
    return words.text(ACTIONS[name])


def field(words: Words, name: str) -> str:
    """A column of the CRM: one that many have in this language, another as it is called there."""
    label = name.replace("_", " ").strip().capitalize()
    return words.text(label) if label in _FIELDS else label


def chance(words: Words, transition: str | None, probability: float, horizon_days: int | None) -> str:
    """ "31% chance to become a prospect within 28 days": a probability as a sentence, with its horizon where it has one."""
    target = (transition or "").rpartition(">")[2]
    told = words.percent(probability, 1 if probability < 0.1 else 0)
    if horizon_days is None:
        return words.text(_CHANCES_AT_ALL.get(target, _CHANCES_AT_ALL["outcome"]), chance=told)
    return words.text(_CHANCES.get(target, _CHANCES["outcome"]), chance=told, days=horizon_days)
