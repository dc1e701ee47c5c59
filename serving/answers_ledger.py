"""What the calls about scores given answer, as documented in the OpenAPI."""

from typing import Literal

from pydantic import Field

from serving.answers import Action, Grade, Level, Percentile, Probability, Reason, Recommendation, ScoreAnswer, TransitionScore, _Answer

Source = Literal["request", "batch", "store", "shadow"]


class Judgement(_Answer):
    """What a bundle says of a row: the part of `POST /v1/score` that follows from it."""

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


class _Given(_Answer):
    score_id: str
    at: str
    as_of: str
    stage: str
    version: str
    source: Source
    probability: Probability | None
    low: Probability | None
    high: Probability | None
    score: Percentile | None
    grade: Grade | None
    action: Action | None


class ReplayAnswer(_Given):
    """A score of the ledger, and the same given again from the row that was kept and the bundle that gave it. Grades and recommendation follow the
    policy of today. `same`: probability, interval and score are equal to the last bit; `different` names those that are not."""

    lead_id: str | None
    replayed: Judgement
    same: bool
    different: list[str]


class StoredScore(ScoreAnswer):
    """The latest score of a lead. `trend` is the score less the last one that was different; `stale`: something changed since, and a new score is
    on its way."""

    trend: float | None
    stale: bool


class ScoreSplit(_Answer):
    """`after` less `before`, on the scale 0-100: lead (new facts) + time (ageing) + model (a new bundle) + population (whom it is ranked among)."""

    before: int
    after: int
    lead: int
    time: int
    model: int
    population: int


class ProbabilitySplit(_Answer):
    """The same of the probability. The four parts, added in this order, are `after - before` to the last bit; population holds rounding alone."""

    before: Probability
    after: Probability
    lead: float
    time: float
    model: float
    population: float


class Moved(_Answer):
    """A feature whose effect moved, in the log-odds of the bundle before."""

    feature: str
    before: float | int | str | bool | None
    after: float | int | str | bool | None
    effect: float
    level: Level
    text: str


class Change(_Answer):
    """Why the score is another one than that of `since`, the last one that the service gave by itself from what it holds. `rebuilt` false: what was
    known then can't be told exactly any more (the request held other facts, or leads were merged); the parts still sum."""

    since: str
    score: ScoreSplit
    probability: ProbabilitySplit
    moved: list[Moved] = Field(max_length=5)
    rebuilt: bool


class GivenScore(_Given):
    """A score of the ledger. `change` is null for the first one, and where one of the two has no probability."""

    change: Change | None


class HistoryAnswer(_Answer):
    """The scores of a lead, newest first, those of leads merged into it too. `next_cursor` is null on the last page."""

    lead_id: str
    items: list[GivenScore]
    next_cursor: str | None
