"""The recommendation policy: the keys under [policy] of funnel.toml. They change what is recommended, never a probability, and are read live."""

import re
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from data.contract import STAGES
from data.default_policy import DEAL_STAGE_WORDS, FACTS, NEXT_STEPS
from data.documents import suggestion

Days = Annotated[int, Field(ge=1, le=3650)]
Share = Annotated[float, Field(ge=0, le=1)]
Score = Annotated[float, Field(ge=0, le=100)]
Amount = Annotated[float, Field(ge=0)]

Gate = Literal["organization", "opportunity", "stakeholder"]
State = Literal["known", "likely", "unknown"]
Facet = Literal["need", "ability", "desire", "authority"]
DealStage = Literal["prospecting", "discovery", "proposal", "closing"]
DEAL_STAGES: tuple[DealStage, ...] = ("prospecting", "discovery", "proposal", "closing")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Rules(_Part):
    """Limits of the stage recommendation that are not computed from value, cost and capacity. Probabilities and widths in [0, 1], fits 0-100, silence
    in days. `min_fit` None: the fit of an average lead."""

    min_fit: Score | None = None
    hold_min_interval_width: Share = 0.5
    disqualify_max_fit: Score = 10
    disqualify_max_probability: Share = 0.01
    disqualify_after_silent_days: Days = 60
    recycle_after_silent_days: Days = 120


class Step(_Part):
    """One contact or content that may come next. It suits every gate, level of interest and deal stage unless it names those that it is for, and is
    left out once the lead has had an event of a type in `had`."""

    text: str = Field(min_length=1)
    kind: Literal["content", "contact"] = "content"
    gates: tuple[Gate, ...] = ()
    levels: tuple[State, ...] = ()
    deals: tuple[DealStage, ...] = ()
    had: tuple[str, ...] = ()


class Facts(_Part):
    """What shows a need, the ability to buy, desire or authority: names of event types, or words in the name of an attribute that is filled in."""

    known: tuple[str, ...] = ()
    likely: tuple[str, ...] = ()


class Policy(_Part):
    """Keys that change what is recommended, never a probability; read live."""

    capacity_per_day: int = Field(default=40, ge=1)
    cost_of_contact: Amount | None = None
    value_of_conversion: dict[str, Amount] = Field(default_factory=dict)
    grades: dict[str, Score] = Field(default_factory=lambda: {"A": 90.0, "B": 70.0, "C": 40.0})
    rules: Rules = Rules()
    facts: dict[Facet, Facts] = Field(default_factory=dict, validate_default=True)
    deal_stages: dict[DealStage, tuple[str, ...]] = Field(default_factory=dict)
    next_steps: dict[str, tuple[Step, ...]] = Field(default_factory=dict, validate_default=True)

    @field_validator("value_of_conversion")
    @classmethod
    def _transitions(cls, values: dict[str, float]) -> dict[str, float]:
        return checked_transitions(values)

    @field_validator("grades")
    @classmethod
    def _falling(cls, grades: dict[str, float]) -> dict[str, float]:
        unknown = set(grades) - {"A", "B", "C"}
        if unknown:
            raise ValueError(f"grades are A, B and C (D is the rest); found {', '.join(sorted(unknown))}.")
        full = {"A": 90.0, "B": 70.0, "C": 40.0} | grades
        if not full["A"] > full["B"] > full["C"]:
            raise ValueError(f"grades must fall from A to C; found {full}.")
        return full

    @field_validator("facts")
    @classmethod
    def _with_defaults(cls, facts: dict[Facet, Facts]) -> dict[Facet, Facts]:
        return {facet: facts.get(facet, Facts(known=known, likely=likely)) for facet, (known, likely) in FACTS.items()}

    @field_validator("deal_stages")
    @classmethod
    def _one_meaning_each(cls, words: dict[DealStage, tuple[str, ...]]) -> dict[DealStage, tuple[str, ...]]:
        seen: dict[str, str] = {}
        for stage, names in words.items():
            for name in names:
                if seen.setdefault(folded(name), stage) != stage:
                    raise ValueError(f"the name {name!r} is given to both {seen[folded(name)]} and {stage}. Keep one.")
        return words

    @field_validator("next_steps", mode="before")
    @classmethod
    def _texts_alone(cls, steps: Any) -> Any:
        """A step may be written as its text alone."""
        if not isinstance(steps, Mapping):
            return steps
        return {stage: _spelled_out(listed) for stage, listed in steps.items()}

    @field_validator("next_steps")
    @classmethod
    def _known_stages(cls, steps: dict[str, tuple[Step, ...]]) -> dict[str, tuple[Step, ...]]:
        for stage in steps:
            if stage not in STAGES:
                raise ValueError(f"unknown stage {stage!r}. {suggestion(stage, STAGES)}")
        return {stage: tuple(Step.model_validate(step) for step in listed) for stage, listed in NEXT_STEPS.items()} | steps

    def deal_stage(self, name: str) -> DealStage | None:
        """Which of the four a CRM's own name of a deal's stage means; case, spaces and punctuation don't matter. None if unknown."""
        return self._deal_words.get(folded(name))

    @cached_property
    def _deal_words(self) -> Mapping[str, DealStage]:
        """The team's own names win over the built-in ones."""
        tables: tuple[Mapping[DealStage, tuple[str, ...]], ...] = (DEAL_STAGE_WORDS, {stage: (stage,) for stage in DEAL_STAGES}, self.deal_stages)
        return {folded(word): stage for table in tables for stage, words in table.items() for word in words}


def _spelled_out(listed: Any) -> Any:
    """What a validator of this kind gives back counts as Python, where a list is no tuple."""
    if not isinstance(listed, list | tuple):
        return listed
    return tuple({"text": step} if isinstance(step, str) else _with_tuples(step) if isinstance(step, dict) else step for step in listed)


def _with_tuples(step: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in step.items()}


def checked_transitions(values: dict[str, Any]) -> dict[str, Any]:
    """The same with tidy names, each that of a transition from a stage to a later one; ValueError for any other."""
    valid = [f"{a}->{b}" for i, a in enumerate(STAGES) for b in STAGES[i + 1 :]]
    tidy = {re.sub(r"\s+", "", name): value for name, value in values.items()}
    for name in tidy:
        if name not in valid:
            raise ValueError(f"unknown transition {name!r}. {suggestion(name, valid)}")
    return tidy


def folded(name: str) -> str:
    """A name without case, spaces and punctuation."""
    return "".join(filter(str.isalnum, name.casefold()))
