"""What `GET /v1/icp` answers."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

_Share = Annotated[float, Field(ge=0, le=1)]
_Count = Annotated[int, Field(ge=0)]
_Positive = Annotated[float, Field(ge=0)]
_Kind = Literal["category", "number", "seniority", "function"]
_Level = Literal["organization", "opportunity", "stakeholder", "interest"]


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ProfileValue(_Answer):
    """One value of an attribute, or one band of numbers from `begin` to `end`. Of `leads` who had it on their first day `reached` got to the target,
    a share of `rate`. `lift`: that rate, drawn towards the others the fewer the leads, over the rate of all whose value is known, with its 90 %
    interval `low` to `high`; null for a value that no lead has. `points`: what it adds to the fit, the logarithm of a lift. `said`: `learned` from
    the data, or `wanted` or `unwanted` by the team."""

    value: str
    begin: float | None
    end: float | None
    leads: _Count
    reached: _Count
    rate: _Share | None
    lift: _Positive | None
    low: _Positive | None
    high: _Positive | None
    points: float
    said: Literal["learned", "wanted", "unwanted"]


class StandingOut(ProfileValue):
    """A value by which leads stand out, and whose it is."""

    attribute: str
    label: str
    kind: _Kind
    level: _Level


class MissingValues(_Answer):
    """Leads whose value was not known on their first day. It is told and does not count: many fields are filled in for those who are worked on."""

    leads: _Count
    reached: _Count
    rate: _Share | None


class ProfileAttribute(_Answer):
    """One attribute. `weight`: how much of it counts beside the others that say the same; `ignored`: nothing, says the team; `between`: the range
    that the team wants. `undated`: no history says since when most of its values are known, so that some may have been filled in afterwards;
    `caution`: what the leak report says of it."""

    name: str
    column: str
    kind: _Kind
    level: _Level
    label: str
    weight: _Share
    ignored: bool
    undated: bool
    caution: str | None
    between: list[float] | None
    missing: MissingValues
    values: list[ProfileValue]


class NotUsed(_Answer):
    """A column that is no part of the profile, and why."""

    column: str
    why: str


class ProfileAnswer(_Answer):
    """Who reached `target` within `days` (null: ever) of their first day against who did not, of the leads that could be followed for so long. `auc`:
    how well the fit tells such leads apart that it was not learned from. Where too few got far enough, `target` is null."""

    version: str
    trained_at: str | None
    target: str | None
    days: int | None
    leads: _Count
    reached: _Count
    rate: _Share | None
    auc: _Share | None
    ideal: list[StandingOut]
    avoid: list[StandingOut]
    attributes: list[ProfileAttribute]
    left_out: list[NotUsed]
    unused_corrections: list[str]
    notes: list[str]
