"""What `GET /v1/model` answers."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class TransitionModel(_Answer):
    """What answers one transition for leads in `stage`, and how good it proved to be on what came after its training.

    `evaluation` holds `test` with `intervals` (90 %), the calibration error that chance gives a perfect model (`ece_of_perfect`), reliability in
    tenths (`interval_check`), what K calls a day bring (`capacity`), `months`, `segments`, `ages`, simpler rules (`baselines`), what each field is
    worth (`fields`), and how many landmarks were counted, and left out as censored (`landmarks`).
    """

    stage: str
    transition: str
    horizon_days: int
    candidate: str
    evaluation: dict[str, Any]


class Measured(_Answer):
    """One number of a test, with its 90 % interval; null where it was not measured."""

    value: float | None
    interval: list[float | None] | None


class VersionTransition(_Answer):
    """One transition's test in short. Each version is tested on the last fifth of its own history, so two of them say of the same only where their
    data do; what decides is the comparison on landmarks that neither has seen. `calibrated`: the error is one that chance gives a perfect model."""

    auc: Measured
    log_loss: Measured
    brier: Measured
    ece: Measured
    lift_top_decile: Measured
    base_rate: Measured
    candidate: str | None
    horizon_days: int | None
    landmarks: int | None
    calibrated: bool | None


class Version(_Answer):
    """One version that the store holds. `broken`: why it can't be read, null where it can. `scores_along`: on some of the leads, into the ledger."""

    version: str
    role: Literal["champion", "challenger", "served", "not promoted"]
    scores_along: bool
    broken: str | None
    trained_at: str | None
    data_end: str | None
    leads: int | None
    transitions: dict[str, VersionTransition]


class Move(_Answer):
    """A promotion or a rollback: from then on `version` served."""

    version: str
    at: str
    reason: str
    instead_of: str | None


class Challenger(_Answer):
    """The newest version that never served, with what its training decided on it, beside which champion, and why. `churn`: how many open leads would
    change their grade. `decided_at` is null where no decision was kept."""

    version: str
    decided_at: str | None
    against: str | None
    reasons: list[str]
    churn: dict[str, Any] | None


class Standing(_Answer):
    """What could serve instead: the newest versions, the history of promotions, newest first, and where a rollback would lead."""

    versions: list[Version]
    history: list[Move]
    challenger: Challenger | None
    rollback_to: str | None


class ModelAnswer(_Answer):
    """What serves. `transitions` are those of leads standing right before them, `ahead` those further on; times are ISO-8601. `calls_per_day`: the
    team's capacity, as funnel.toml says. `standing` is null where the store does not answer."""

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
    calls_per_day: int
    standing: Standing | None
