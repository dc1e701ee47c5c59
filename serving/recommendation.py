"""The recommended stage and next step: a policy over probabilities, live from funnel.toml, not a second model."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from data.policy import DealStage, Facet, Policy, State
from registry.models import Rows
from serving.gates import NOTHING_KNOWN, Firm, Held
from serving.next_steps import NextSteps, Wanted
from serving.terms import chance
from serving.words import ENGLISH, Words, msgid

UNKNOWN: Mapping[Facet, State] = {"need": "unknown", "ability": "unknown", "desire": "unknown", "authority": "unknown"}
_AT_HAND = "opportunity"


class Situation(NamedTuple):
    """What the policy looks at. `transition` to `score` are those of the nearest hop, None where there is none.

    `expected` is what a contact is worth and `bar` what it must bring, in the same unit; `pays_from` the probability at which it does, for this lead;
    `cost` what a contact costs, None where that is not told. `silent_days` are the days since the lead last did something (None: never),
    `days_in_stage` those since it entered the stage or exit. `fake_contact`: no given contact can work. `outcome` is the column whose yes is
    predicted, where a flat file names no stages. `states` is what is known of each facet, `held` the gate that is not passed;
    `wanted_days` are those since the last event that shows desire (None: never); `deal` is the stage of the open deal, where the CRM tells it.
    """

    stage: str
    in_exit: bool
    next_stage: str | None
    first_stage: str
    transition: str | None = None
    horizon_days: int | None = None
    probability: float | None = None
    low: float | None = None
    high: float | None = None
    score: float | None = None
    expected: float | None = None
    bar: float = 0.0
    pays_from: float | None = None
    cost: float | None = None
    silent_days: float | None = None
    days_in_stage: float = 0.0
    fake_contact: bool = False
    outcome: str | None = None
    firm: Firm = NOTHING_KNOWN
    states: Mapping[Facet, State] = UNKNOWN
    held: Held | None = None
    wanted_days: float | None = None
    deal: DealStage | None = None

    @property
    def quiet_days(self) -> float:
        """Days without a sign of life: of silence, or in the stage if there never was one."""
        return self.days_in_stage if self.silent_days is None else self.silent_days

    @property
    def pays(self) -> bool:
        """Whether a contact brings what it must."""
        return self.expected is not None and self.expected >= self.bar

    @property
    def at_best(self) -> float:
        """What a contact would be worth at the upper end of the interval."""
        return self.expected * self.high / self.probability if self.expected and self.high and self.probability else 0.0

    @property
    def hopeless(self) -> bool:
        """Whether a contact costs more than it would bring at best; never where no cost is told."""
        return self.cost is not None and self.at_best < self.cost


class Decision(NamedTuple):
    """What to do, towards which stage, and why: a text and the texts that go into it."""

    action: str
    stage: str
    why: str
    with_chance: bool = True


def recommend(s: Situation, policy: Policy, steps: NextSteps | None = None, row: Rows | None = None, words: Words = ENGLISH) -> dict[str, Any]:
    """`{"action", "stage", "text", "next_step", "gate"}`: advance, work_now, nurture, hold, recycle or disqualify, with the stage, the reason, the
    contact or content that comes next, and the gate that holds the lead back with the question that would settle it.

    `row` (p,) is the lead's, for leaving out the steps that it has had; `steps` (default: those of the policy) knows where they are counted. Texts
    are few and kept: `gate` is shared by answers and not to be changed.
    """
    decided = _decide(s, policy)
    following = _next_step(decided, s, NextSteps(policy.next_steps) if steps is None else steps, row)
    return {
        "action": decided.action,
        "stage": decided.stage,
        "text": _told(decided, s, words),
        "next_step": None if following is None else _same(words, following),
        "gate": None if s.held is None else _gate(words, s.held),
    }


def _decide(s: Situation, policy: Policy) -> Decision:
    if s.in_exit:
        return _after_exit(s)
    if s.stage == _AT_HAND and s.outcome is None:
        return _at_hand(s, policy)
    if s.next_stage is None:
        return Decision("nurture", s.stage, _REACHED, False)
    if s.probability is None or s.low is None or s.high is None:
        return Decision("hold", s.stage, _NO_MODEL, False)
    return _given_up(s, policy, s.probability) or _of_chance(s, policy, s.high - s.low)


def _after_exit(s: Situation) -> Decision:
    if s.wanted_days is not None and s.wanted_days < s.days_in_stage:
        return Decision("recycle", s.first_stage, _BACK, False)
    return Decision("disqualify", s.stage, _GONE, False)


def _at_hand(s: Situation, policy: Policy) -> Decision:
    """An open opportunity is worked on: a deal that was worth opening is closed one way or the other."""
    why = _QUIET_DEAL if s.quiet_days >= policy.rules.recycle_after_silent_days else _OPEN_DEAL
    return Decision("work_now", s.stage, why, s.probability is not None)


def _given_up(s: Situation, policy: Policy, probability: float) -> Decision | None:
    """No contact works, no sign of life and no hope, or a company unlike all who bought."""
    rules = policy.rules
    if s.fake_contact:
        return Decision("disqualify", "disqualified", _FAKE, False)
    if (probability <= rules.disqualify_max_probability or s.hopeless) and s.quiet_days >= rules.disqualify_after_silent_days:
        return Decision("disqualify", "disqualified", _SILENT)
    if s.firm.fit is not None and s.firm.fit <= rules.disqualify_max_fit and s.at_best < s.bar:
        return Decision("disqualify", "disqualified", _NO_FIT)
    return None


def _of_chance(s: Situation, policy: Policy, width: float) -> Decision:
    """Thin evidence keeps a lead from advancing, not from a contact that pays: that is how more comes to be known. Where a contact does not pay but
    might, nothing can be told yet."""
    wide = width > policy.rules.hold_min_interval_width
    if s.pays:
        settled = s.held is None and not wide
        return Decision("advance", str(s.next_stage), _PAYS) if settled else Decision("work_now", s.stage, _PAYS)
    if wide and s.at_best >= s.bar:
        return Decision("hold", s.stage, _WIDE)
    if s.stage != s.first_stage and s.quiet_days >= policy.rules.recycle_after_silent_days:
        return Decision("nurture", s.first_stage, _SILENT)
    return Decision("nurture", s.stage, _WARM)


_OPEN_DEAL = msgid("An open opportunity: bring the deal to its next stage.")
_QUIET_DEAL = msgid("An open opportunity without a sign of life for {days}: find out whether the deal is still on.")
_REACHED = msgid("Nothing further to predict: the last stage is reached.")
_NO_MODEL = msgid("Not enough evidence yet to tell who gets to the next stage.")
_BACK = msgid("Left the funnel, and has shown new interest since.")
_GONE = msgid("Left the funnel, and has shown no new interest since.")
_FAKE = msgid("No given contact can work: the e-mail address or phone number is fake.")
_SILENT = msgid("No sign of life for {days}.")
_NO_FIT = msgid("The company is like hardly any that bought, and even at best a contact would not pay.")
_WIDE = msgid("The 90 % interval is {width} wide: not enough evidence.")
_PAYS = msgid("A contact pays from {pays_from} on.")
_ALWAYS = msgid("A contact pays, however small the chance.")
_WARM = msgid("A contact pays from {pays_from} on: worth keeping warm, not worth a call today.")
_NEVER = msgid("Worth keeping warm, not worth a call today.")
_OUTCOME = msgid("{chance} chance of a yes in {outcome}")
_BOTH = "{chance}. {why}"
_SMALL = 0.1
"""Below this a chance is told with a decimal."""


def _told(decided: Decision, s: Situation, words: Words) -> str:
    """ "31% chance to become a prospect within 28 days. A contact pays from 12% on." """
    why = (decided.why, *_values(decided, s))
    if not decided.with_chance or s.probability is None:
        return _reason(words, *why)
    shown = round(s.probability, 2 if s.probability >= _SMALL else 3)
    return _with_chance(words, s.transition, shown, s.horizon_days, s.outcome, *why)


def _values(decided: Decision, s: Situation) -> tuple[str, float]:
    """The name and the value of the one number in the text, as far as it is shown."""
    why = decided.why
    if why is _PAYS or why is _WARM:
        pays_from = s.pays_from or 0.0
        return "pays_from", round(pays_from, 2 if pays_from >= _SMALL else 3)
    if why is _SILENT or why is _QUIET_DEAL:
        return "days", round(s.quiet_days, 2)
    return ("width", round((s.high or 0.0) - (s.low or 0.0), 2)) if why is _WIDE else ("", 0.0)


@lru_cache(maxsize=16_384)
def _with_chance(
    words: Words, transition: str | None, probability: float, horizon_days: int | None, outcome: str | None, why: str, name: str, value: float
) -> str:
    return words.text(_BOTH, chance=_likely(words, transition, probability, horizon_days, outcome), why=_reason(words, why, name, value))


@lru_cache(maxsize=1_024)
def _gate(words: Words, held: Held) -> dict[str, str]:
    return held.told(words)


@lru_cache(maxsize=1_024)
def _same(words: Words, text: str) -> str:
    return words.text(text)


@lru_cache(maxsize=4_096)
def _reason(words: Words, text: str, name: str, value: float) -> str:
    if not name:
        return words.text(text)
    if text is _WARM and not 0 < value <= 1:
        return words.text(_NEVER)
    if text is _PAYS and not value:
        return words.text(_ALWAYS)
    return words.text(text, **{name: words.duration(value) if name == "days" else words.percent(value, 1 if value < _SMALL else 0)})


@lru_cache(maxsize=4_096)
def _likely(words: Words, transition: str | None, probability: float, horizon_days: int | None, outcome: str | None) -> str:
    """The chance in words: leads are many, and the chances that are told few."""
    if outcome is not None:
        return words.text(_OUTCOME, chance=words.percent(probability), outcome=repr(outcome))
    return chance(words, transition, probability, horizon_days or None)


_PERSONAL = ("advance", "work_now", "recycle")


def _next_step(decided: Decision, s: Situation, steps: NextSteps, row: Rows | None) -> str | None:
    """Work is a contact first, keeping warm content first; there is none while holding or after giving up."""
    if decided.action in ("hold", "disqualify"):
        return None
    gate = None if s.held is None else s.held.gate
    return steps.first(Wanted(decided.stage, gate, s.states["desire"], decided.action in _PERSONAL, s.deal), row)
