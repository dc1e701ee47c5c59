"""What `GET /v1/funnel` and `GET /v1/losses` answer. Shares come with their 90 % interval."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

_Count = Annotated[int, Field(ge=0)]
_Chance = Annotated[float, Field(ge=0, le=1)]
_Kind = Literal["value", "other", "missing", "earlier"]


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Share(_Answer):
    """A share, 0 to 1, and its 90 % interval."""

    share: _Chance
    low: _Chance
    high: _Chance


class Durations(_Answer):
    """Days after which a quarter, half and three quarters had; null where fewer have so far."""

    p25: float | None
    median: float | None
    p75: float | None


class Way(_Answer):
    """Where stays end: `moved` went to this stage or exit, after `days` (the median); `share` of all go there, by the end of what can be told, those
    counted rightly that still last (Aalen-Johansen)."""

    stage: str
    moved: _Count
    share: _Chance
    days: float


class StageStays(_Answer):
    """One stage or exit. `leads` reached it, by skipping it too, and `now` stand in it; `stays` of more than an instant began, and `days` is how long
    they last. What lasts longer than `followed_days` can't be told yet."""

    stage: str
    exit: bool
    leads: _Count
    now: _Count
    stays: _Count
    days: Durations
    followed_days: float
    to: list[Way]


class _Converted(_Answer):
    from_: str = Field(alias="from")
    to: str
    entered: _Count
    converted: _Count
    open: _Count
    out: _Count
    horizon_days: int | None
    within: Share | None
    followed_days: float
    so_far: Share | None
    days: Durations | None


class GroupPair(_Converted):
    """From one stage to a later one. `entered` leads reached the first, in whatever way; `converted` the later one, also after having left and come
    back; of the others some are still in the funnel (`open`), some `out`. `within`: the share that gets there within `horizon_days`, those counted
    rightly who came too lately to have had so long (Kaplan-Meier); null where fewer than ten were watched for so long. `so_far`: the same by
    `followed_days`, the end of what can be told. `days`: how long it takes those who get there. `differs`: from all others beyond chance."""

    differs: Literal["higher", "lower"] | None


class Pair(_Converted):
    """The same of all leads. `curve`: [day, share, low, high] at even steps."""

    curve: list[Annotated[list[float], Field(min_length=4, max_length=4)]]


class Came(_Answer):
    """So many leads did, the share by the end of what can be told, and how long it took them."""

    leads: _Count
    followed_days: float
    so_far: Share | None
    days: Durations | None


class Recycling(_Answer):
    """Leads that ever `left` the funnel; of them who `returned` to a stage; and of those who `advanced` beyond the stage they returned to."""

    left: _Count
    returned: Came
    advanced: Came


class FunnelGroup(_Answer):
    """Leads with one value of what was asked for: a month, a text, or numbers from `begin` to below `end` (null: open). `value` null: what `kind`
    says, all others or those of whom it is not known. Values of fewer than 20 leads are told with the others."""

    value: str | None
    kind: _Kind
    begin: float | None
    end: float | None
    leads: _Count
    pairs: list[GroupPair]


class FunnelAnswer(_Answer):
    """The funnel as it is known at `as_of`. `options`: what `by` may be. A month is that in which the first stage of a pair was reached."""

    as_of: str
    leads: _Count
    stages: list[StageStays]
    pairs: list[Pair]
    recycling: Recycling
    by: str | None
    options: list[str]
    groups: list[FunnelGroup]


class Amount(_Answer):
    """What so many deals are worth together, in one currency."""

    currency: str | None
    deals: _Count
    amount: float


class Amounts(_Answer):
    """By how deals ended."""

    won: list[Amount]
    lost: list[Amount]
    open: list[Amount]


class DaysToClose(_Answer):
    """The median days from opening to closing."""

    won: float | None
    lost: float | None


class DealsClosed(_Answer):
    """All deals. `win_rate` is of those that closed."""

    won: _Count
    lost: _Count
    open: _Count
    win_rate: Share | None
    amounts: Amounts
    days: DaysToClose


class LossMonth(_Answer):
    """Deals that closed in one month."""

    month: str | None
    kind: _Kind
    won: _Count
    lost: _Count
    win_rate: Share | None


class Said(_Answer):
    """What was said of `count` of them. `value` null: other answers than those that were given three times at least, or none."""

    value: str | None
    kind: _Kind
    count: _Count
    share: _Chance
    low: _Chance
    high: _Chance


class LossReason(Said):
    """Why deals were lost, and what they were worth."""

    amounts: list[Amount]


class Competitor(Said):
    """Who deals were lost to. `won` deals name who was beaten; `win_rate` against them, null where none does."""

    won: _Count
    win_rate: Share | None
    amounts: list[Amount]


class LeftFrom(_Answer):
    """The stage that was left."""

    stage: str
    count: _Count
    share: _Chance
    low: _Chance
    high: _Chance


class ExitReason(Said):
    """Why an exit was taken, and how often the lead came back to a stage later."""

    returned: _Count


class ExitTaken(_Answer):
    """One way out of the funnel: how often it was taken, by how many leads, who stand there `now`, and how often they came back later."""

    exit: str
    count: _Count
    leads: _Count
    now: _Count
    returned: _Count
    from_: list[LeftFrom] = Field(alias="from")
    reasons: list[ExitReason]


class CommonFact(_Answer):
    """Something known of a deal or its lead: an attribute as it is now, or of its history `amount`, `days_before` (from the lead's creation) and
    `returned` (had left the funnel before). With this value `share` were lost, drawn towards `others` as far as chance may explain it, where `others`
    is the share among those with another known value. `proven`: beyond chance, though so much was looked at."""

    fact: str
    kind: Literal["attribute", "history"]
    value: str
    begin: float | None
    end: float | None
    lost: _Count
    won: _Count
    share: _Chance
    low: _Chance
    high: _Chance
    others: _Chance
    proven: bool


class Common(_Answer):
    """`of`: deals, or stays as opportunity where too few deals tell; null where those are too few as well: 20 of each are needed."""

    of: Literal["deals", "stays"] | None
    lost: _Count
    won: _Count
    facts: list[CommonFact]


class LossesAnswer(_Answer):
    """What was lost as it is known at `as_of`."""

    as_of: str
    deals: DealsClosed
    months: list[LossMonth]
    reasons: list[LossReason]
    deal_stages: list[Said]
    competitors: list[Competitor]
    exits: list[ExitTaken]
    common: Common
