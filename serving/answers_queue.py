"""What `GET /v1/queue` answers."""

from pydantic import BaseModel, ConfigDict

from serving.answers import Action, Grade, Percentile, Probability


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class QueueItem(_Answer):
    """One open lead. `value`: its largest open deal, else what `funnel.toml` says of the transition; `expected_value` = probability x value.

    `trend` is the score less the last different one, null for the first. `override`: the last action that feedback named; `handled`: feedback came
    today (UTC); `stale`: something changed, and it waits to be scored again.
    """

    lead_id: str
    stage: str
    transition: str | None
    probability: Probability
    low: Probability
    high: Probability
    horizon_days: int | None
    score: Percentile
    grade: Grade
    action: Action
    recommended_stage: str | None
    next_step: str | None
    owner: str | None
    value: float | None
    expected_value: float | None
    trend: float | None
    as_of: str
    scored_at: str
    version: str
    reasons: list[str]
    override: str | None
    handled: bool
    stale: bool


class Freshness(_Answer):
    """When the leads of the whole queue were scored, null where it is empty, and how many wait to be scored again: 10,000 means at least that."""

    oldest_scored_at: str | None
    newest_scored_at: str | None
    pending: int


class QueueAnswer(_Answer):
    """Leads in order. `next_cursor` is null on the last page; all pages of one walk show the queue as it was at `snapshot`."""

    items: list[QueueItem]
    next_cursor: str | None
    snapshot: int
    freshness: Freshness
