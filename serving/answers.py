"""What the service answers, as documented in its OpenAPI. Answers are built as plain dicts; tests hold them to these models."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from data.policy import Gate, State

Probability = Annotated[float, Field(ge=0, le=1)]
Percentile = Annotated[float, Field(ge=0, le=100)]
Grade = Literal["A", "B", "C", "D"]
Action = Literal["advance", "work_now", "nurture", "hold", "recycle", "disqualify"]
Level = Literal["organization", "opportunity", "stakeholder", "interest"]


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class TransitionScore(_Answer):
    """How likely one transition is within its horizon, given the ones before it; `low` and `high` are the 90 % interval."""

    probability: Probability
    low: Probability
    high: Probability
    horizon_days: int
    score: Percentile
    grade: Grade


class Reason(_Answer):
    """One feature's part of the score. `effect` is in log-odds; base + all effects + other = logit(probability)."""

    feature: str
    value: float | int | str | bool | None
    effect: float
    level: Level
    text: str


class GateHeld(_Answer):
    """The gate of qualification that holds the lead back, and the question that would settle it."""

    name: Gate
    question: str


class Facet(_Answer):
    """What is known of one thing that a deal needs, and from which facts."""

    state: State
    because: list[str]


class Known(_Answer):
    """A need, the ability to buy, the desire to, and authority to decide."""

    need: Facet
    ability: Facet
    desire: Facet
    authority: Facet


class Recommendation(_Answer):
    """What to do, towards which stage, why, and the next step. `gate` is null where all gates are passed, or none is left."""

    action: Action
    stage: str | None
    text: str
    next_step: str | None
    gate: GateHeld | None
    known: Known


class ServedModel(_Answer):
    """The bundle that gave the score."""

    version: str
    trained_at: str | None


class ScoreAnswer(_Answer):
    """The score of one lead. In an exit or in the last stage `transitions` is empty and `probability` null."""

    score_id: str
    lead_id: str | None
    stage: str
    as_of: str
    transitions: dict[str, TransitionScore]
    score: Percentile | None
    grade: Grade | None
    probability: Probability | None
    reach: dict[str, Probability]
    fit: float | None
    engagement: float | None
    base: float | None
    other: float | None
    reasons: list[Reason]
    recommendation: Recommendation
    warnings: list[str]
    model: ServedModel


class ErrorAnswer(_Answer):
    """Every refusal: its name, and for people what was expected, what came, and what to do."""

    error: str
    detail: str


class BatchAnswer(_Answer):
    """One result per item, in order: its answer, or why it was refused."""

    results: list[ScoreAnswer | ErrorAnswer]


class Health(_Answer):
    """The process is alive."""

    status: Literal["ok"]


class Readiness(_Answer):
    """Whether scores are given, what is down (`kernel`, `database`, `champion`, `policy`, `ledger`), and each one's reason."""

    ready: bool
    version: str | None
    down: list[str]
    detail: dict[str, str]
