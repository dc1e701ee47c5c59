"""funnel.toml: the team's one definition of its funnel. Every key has a default; `Funnel()` is the empty file."""

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from data.contract import EXITS, STAGES, DataError, parse_instant
from data.defaults import EVENT_TYPES, INBOUND_WORDS, NEXT_STEPS, OUTBOUND_WORDS, STAGE_WORDS, Direction, Level
from data.documents import parse_document, read_toml, suggestion
from data.home import leadscore_home

Days = Annotated[int, Field(ge=1, le=3650)]
Share = Annotated[float, Field(ge=0, le=1)]
Score = Annotated[float, Field(ge=0, le=100)]
Amount = Annotated[float, Field(ge=0)]

LANGUAGES = ("en", "sv", "de", "pt", "nb", "zh")
TRAINING_KEYS = ("stages", "exits", "horizons", "event_types", "exclude", "keep", "data_end", "languages")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class EventType(_Part):
    """What one type of event means: label for people, qualification level, who acted, and whether it is used at all."""

    label: str | None = None
    level: Level = "interest"
    direction: Direction | None = None
    exclude: bool = False
    as_: str | None = Field(default=None, alias="as")


class Rules(_Part):
    """Thresholds of the stage recommendation. Probabilities and shares in [0, 1], scores 0-100, silence in days."""

    advance_min_probability: Share = 0.5
    advance_min_score: Score = 90
    work_min_score: Score = 70
    hold_min_interval_width: Share = 0.5
    disqualify_max_probability: Share = 0.01
    disqualify_after_silent_days: Days = 60
    recycle_after_silent_days: Days = 120


class Policy(_Part):
    """Keys that change what is recommended, never a probability; read live."""

    capacity_per_day: int = Field(default=40, ge=1)
    cost_of_contact: Amount | None = None
    value_of_conversion: dict[str, Amount] = Field(default_factory=dict)
    grades: dict[str, Score] = Field(default_factory=lambda: {"A": 90.0, "B": 70.0, "C": 40.0})
    rules: Rules = Rules()
    next_steps: dict[str, tuple[str, ...]] = Field(default_factory=dict, validate_default=True)

    @field_validator("value_of_conversion")
    @classmethod
    def _transitions(cls, values: dict[str, float]) -> dict[str, float]:
        return _checked_transitions(values)

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

    @field_validator("next_steps")
    @classmethod
    def _known_stages(cls, steps: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        for stage in steps:
            if stage not in STAGES:
                raise ValueError(f"unknown stage {stage!r}. {suggestion(stage, STAGES)}")
        return dict(NEXT_STEPS) | steps


class Retention(_Part):
    """For how long the operational store keeps what it must not keep for ever; days."""

    scores_days: Days = 400
    deliveries_days: Days = 30
    jobs_days: Days = 90
    audit_days: Days = 730


class Schedule(_Part):
    """What `leadscore worker` does by itself; times of day in UTC. `retrain_every_days` 0: only when asked."""

    rescore_at: str = Field(default="02:00", pattern=r"^([01]\d|2[0-3]):[0-5]\d$")
    retrain_every_days: int = Field(default=0, ge=0, le=366)


class Webhooks(_Part):
    """Where webhooks may go. `allow_private`: also to addresses of the own network, such as 10.0.0.5 or localhost."""

    allow_private: bool = False


class Drift(_Part):
    """When `leadscore evaluate` speaks of drift: population stability index from which an input or the scores are to be watched (`psi_warn`) or have
    drifted (`psi_alarm`), if chance alone does that in less than `p_value` of cases; `p_value` holds for calibration, too. Drifted inputs call for a
    retraining where they carry `weight_alarm` of what the model weighs."""

    psi_warn: float = Field(default=0.1, gt=0)
    psi_alarm: float = Field(default=0.25, gt=0)
    p_value: float = Field(default=0.01, gt=0, lt=1)
    weight_alarm: Share = 0.1

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if self.psi_warn > self.psi_alarm:
            raise ValueError(f"psi_warn ({self.psi_warn:g}) must not be above psi_alarm ({self.psi_alarm:g}).")
        return self


class Shadow(_Part):
    """What scores along: the latest version that was not promoted, on this share of the leads that are rescored; 0: nothing does."""

    share: Share = 0.0


class Funnel(_Part):
    """Stages with the CRM's own names, horizons, event types, columns to leave out, and the recommendation policy."""

    stage_words: dict[str, tuple[str, ...]] = Field(default_factory=dict, alias="stages")
    exit_words: dict[str, tuple[str, ...]] = Field(default_factory=dict, alias="exits")
    horizons: dict[str, Days] = Field(default_factory=dict)
    event_types: dict[str, EventType] = Field(default_factory=dict)
    exclude: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    data_end: str | None = None
    languages: tuple[str, ...] = LANGUAGES
    policy: Policy = Policy()
    retention: Retention = Retention()
    schedule: Schedule = Schedule()
    webhooks: Webhooks = Webhooks()
    drift: Drift = Drift()
    shadow: Shadow = Shadow()

    @field_validator("stage_words", "exit_words")
    @classmethod
    def _known_names(cls, words: dict[str, tuple[str, ...]], info: Any) -> dict[str, tuple[str, ...]]:
        names = STAGES if info.field_name == "stage_words" else EXITS
        for name in words:
            if name not in names:
                raise ValueError(f"unknown name {name!r}; the CRM's own names go in the list. {suggestion(name, names)}")
        return words

    @field_validator("horizons")
    @classmethod
    def _transitions(cls, horizons: dict[str, int]) -> dict[str, int]:
        return _checked_transitions(horizons)

    @field_validator("data_end")
    @classmethod
    def _instant(cls, data_end: str | None) -> str | None:
        if data_end is not None:
            _parse_for_pydantic(data_end)
        return data_end

    @field_validator("languages")
    @classmethod
    def _known_languages(cls, languages: tuple[str, ...]) -> tuple[str, ...]:
        for language in languages:
            if language not in LANGUAGES:
                raise ValueError(f"unknown language {language!r}. {suggestion(language, LANGUAGES)}")
        return languages

    @model_validator(mode="after")
    def _one_meaning_each(self) -> Self:
        seen: dict[str, str] = {}
        for stage, words in (self.stage_words | self.exit_words).items():
            for word in words:
                if seen.setdefault(_key(word), stage) != stage:
                    raise ValueError(f"the name {word!r} is given to both {seen[_key(word)]} and {stage}. Keep one.")
                if _key(word) in map(_key, STAGES + EXITS) and _key(word) != _key(stage):
                    raise ValueError(f"the name {word!r} is a stage of its own and can't stand for {stage}. Remove it.")
        return self

    @property
    def stages(self) -> tuple[str, ...]:
        """The stages in order."""
        return STAGES

    @property
    def exits(self) -> tuple[str, ...]:
        """The ways out of the funnel."""
        return EXITS

    def stage_of(self, name: str) -> str | None:
        """The stage or exit that a CRM's own name means; case, spaces and punctuation don't matter. None if unknown."""
        return self.words().get(_key(name))

    def words(self) -> dict[str, str]:
        """Every known name, folded, to its stage or exit; the team's own words win over the built-in ones."""
        own = [self.stage_words, self.exit_words]
        every: list[Mapping[str, Iterable[str]]] = [STAGE_WORDS, *own, {name: (name,) for name in STAGES + EXITS}]
        return {_key(word): stage for table in every for stage, words in table.items() for word in words}

    def event_type(self, name: str) -> EventType:
        """What the type means: as declared here; else, key by key, the built-in table; else read from its name."""
        declared = self.event_types.get(name, EventType())
        label, level, direction = EVENT_TYPES.get(_snake(name), (None, "interest", _direction(name)))
        known = {"label": label, "level": level, "direction": direction}
        return EventType.model_validate(known | declared.model_dump(exclude_unset=True))

    def training_document(self) -> dict[str, Any]:
        """The keys that touch labels or features, as plain JSON: what travels in a bundle."""
        return self.model_dump(mode="json", by_alias=True, include=_TRAINING_FIELDS)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """The funnel of a parsed funnel.toml or of `training_document`; raises one DataError listing every mistake."""
        return parse_document(cls, document, "funnel.toml")


_TRAINING_FIELDS = {name for name, field in Funnel.model_fields.items() if (field.alias or name) in TRAINING_KEYS}


def load_funnel(path: Path | None) -> Funnel:
    """The funnel of the file; None means LEADSCORE_HOME/funnel.toml, or the defaults where that does not exist."""
    if path is None:
        path = leadscore_home() / "funnel.toml"
        if not os.path.lexists(path):
            return Funnel()
    return parse_document(Funnel, read_toml(path), str(path))


def _checked_transitions(values: dict[str, Any]) -> dict[str, Any]:
    valid = [f"{a}->{b}" for i, a in enumerate(STAGES) for b in STAGES[i + 1 :]]
    tidy = {re.sub(r"\s+", "", name): value for name, value in values.items()}
    for name in tidy:
        if name not in valid:
            raise ValueError(f"unknown transition {name!r}. {suggestion(name, valid)}")
    return tidy


def _parse_for_pydantic(text: str) -> int:
    try:
        return parse_instant(text)
    except DataError as error:
        raise ValueError(str(error)) from None


def _key(name: str) -> str:
    return "".join(filter(str.isalnum, name.casefold()))


def _snake(name: str) -> str:
    split = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return "_".join(re.findall(r"[a-z0-9]+", split.lower()))


def _direction(name: str) -> Direction | None:
    words = set(_snake(name).split("_"))
    if words & {"inbound", "incoming", "received"}:
        return "inbound"
    if words & OUTBOUND_WORDS:
        return "outbound"
    return "inbound" if words & INBOUND_WORDS else None
