"""funnel.toml: the team's one definition of its funnel. Every key has a default; `Funnel()` is the empty file."""

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from data.contract import EXITS, STAGES, DataError, parse_instant
from data.defaults import EVENT_TYPES, INBOUND_WORDS, OUTBOUND_WORDS, STAGE_WORDS, Direction, Level
from data.documents import parse_document, read_toml, suggestion
from data.home import leadscore_home
from data.policy import Days, Policy, Share, checked_transitions, folded

LANGUAGES = ("en", "sv", "de", "pt", "nb", "zh")
TRAINING_KEYS = ("stages", "exits", "horizons", "event_types", "event_groups", "exclude", "keep", "data_end", "languages")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class EventType(_Part):
    """What one type of event means: label for people, qualification level, who acted, and whether it is used at all."""

    label: str | None = None
    level: Level = "interest"
    direction: Direction | None = None
    exclude: bool = False
    as_: str | None = Field(default=None, alias="as")


class EventGroup(_Part):
    """Several event types, by name or pattern, that also count together; label for people, qualification level."""

    types: tuple[str, ...] = Field(min_length=1)
    label: str | None = None
    level: Level = "interest"


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


class Correction(_Part):
    """What the team knows better of one attribute of its ideal customer profile than the data: values that are wanted or unwanted, a range of numbers
    that is wanted (both ends included; all others are unwanted), or that the attribute must not count."""

    wanted: tuple[str, ...] = ()
    unwanted: tuple[str, ...] = ()
    between: tuple[float, float] | None = None
    ignore: bool = False

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        both = {word.casefold() for word in self.wanted} & {word.casefold() for word in self.unwanted}
        if both:
            raise ValueError(f"{', '.join(sorted(both))} can't be both wanted and unwanted. Keep one.")
        if self.between is not None and not self.between[0] <= self.between[1]:
            raise ValueError(f"between must go from the lowest number to the highest; found {list(self.between)}.")
        if self.ignore and (self.wanted or self.unwanted or self.between):
            raise ValueError("an attribute that is ignored has no wanted or unwanted values. Remove ignore, or them.")
        return self


class Funnel(_Part):
    """Stages with the CRM's own names, horizons, event types, columns to leave out, and the recommendation policy."""

    stage_words: dict[str, tuple[str, ...]] = Field(default_factory=dict, alias="stages")
    exit_words: dict[str, tuple[str, ...]] = Field(default_factory=dict, alias="exits")
    horizons: dict[str, Days] = Field(default_factory=dict)
    event_types: dict[str, EventType] = Field(default_factory=dict)
    event_groups: dict[str, EventGroup] = Field(default_factory=dict)
    exclude: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    data_end: str | None = None
    languages: tuple[str, ...] = LANGUAGES
    icp: dict[str, Correction] = Field(default_factory=dict)
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
        return checked_transitions(horizons)

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
                if seen.setdefault(folded(word), stage) != stage:
                    raise ValueError(f"the name {word!r} is given to both {seen[folded(word)]} and {stage}. Keep one.")
                if folded(word) in map(folded, STAGES + EXITS) and folded(word) != folded(stage):
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
        return self.words().get(folded(name))

    def words(self) -> dict[str, str]:
        """Every known name, folded, to its stage or exit; the team's own words win over the built-in ones."""
        own = [self.stage_words, self.exit_words]
        every: list[Mapping[str, Iterable[str]]] = [STAGE_WORDS, *own, {name: (name,) for name in STAGES + EXITS}]
        return {folded(word): stage for table in every for stage, words in table.items() for word in words}

    def event_type(self, name: str) -> EventType:
        """What the type means: as declared here, under its name or a pattern that it fits; else, key by key, the built-in table; else read from its
        name."""
        pattern = fitting(name, self.event_types)
        declared = [self.event_types[key].model_dump(exclude_unset=True) for key in (pattern, name) if key in self.event_types]
        label, level, direction = EVENT_TYPES.get(_snake(name), (None, "interest", _direction(name)))
        known = {"label": label, "level": level, "direction": direction}
        return EventType.model_validate({key: value for told in (known, *declared) for key, value in told.items()})

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


def _parse_for_pydantic(text: str) -> int:
    try:
        return parse_instant(text)
    except DataError as error:
        raise ValueError(str(error)) from None


def is_pattern(name: str) -> bool:
    """Whether a name of event types stands for all that fit it: `webinar_*`."""
    return "*" in name


def fitting(name: str, patterns: Iterable[str]) -> str | None:
    """The pattern that the name fits, `*` being any text; of several the longest, then the first by name."""
    fit = [pattern for pattern in patterns if is_pattern(pattern) and _fits(name, pattern)]
    return min(fit, key=lambda pattern: (-len(pattern), pattern), default=None)


def _fits(name: str, pattern: str) -> bool:
    """Piece by piece, each as far left as it can be: in the time of one reading, however many `*` there are."""
    first, *between, last = pattern.split("*")
    place = len(first)
    for piece in between:
        found = name.find(piece, place)
        if found < 0:
            return False
        place = found + len(piece)
    return name.startswith(first) and name.endswith(last) and len(name) - len(last) >= place


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
