"""What the service answers, as documented in its OpenAPI. Answers are built as plain dicts; tests hold them to these models."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

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


class Recommendation(_Answer):
    """What to do, towards which stage, why, and the next step."""

    action: Action
    stage: str | None
    text: str
    next_step: str | None


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


class TransitionModel(_Answer):
    """What answers one transition for leads in `stage`, and how good it proved to be."""

    stage: str
    transition: str
    horizon_days: int
    candidate: str
    evaluation: dict[str, Any]


class ModelAnswer(_Answer):
    """What serves. `transitions` are those of leads standing right before them, `ahead` those further on; times are ISO-8601."""

    version: str
    hash: str
    trained_at: str | None
    promoted_at: str
    data_end: str | None
    path: list[str]
    schema_hash: str
    features: int
    transitions: dict[str, TransitionModel]
    ahead: list[TransitionModel]
    about: dict[str, Any]


class Health(_Answer):
    """The process is alive."""

    status: Literal["ok"]


class Readiness(_Answer):
    """Whether scores are given, what is down (`kernel`, `database`, `champion`, `policy`, `ledger`), and each one's reason."""

    ready: bool
    version: str | None
    down: list[str]
    detail: dict[str, str]
