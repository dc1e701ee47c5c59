"""What the calls that ingest, and those about one lead, answer."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from serving.answers import ErrorAnswer


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Ingested(_Answer):
    """What became of one item. `id` is the lead's, account's, event's or deal's own; `detail` tells what is worth knowing of it."""

    status: Literal["created", "updated", "unchanged"]
    id: str | None
    detail: str | None


class IngestAnswer(_Answer):
    """One result per item, in order: what became of it, or why it was refused."""

    results: list[Ingested | ErrorAnswer]


class MergeAnswer(_Answer):
    """`merged` is now another id of `lead_id`. "unchanged": they were one lead already."""

    status: Literal["updated", "unchanged"]
    lead_id: str
    merged: str


class HeldAnswer(_Answer):
    """All that is held on one lead, times in ISO-8601, rows by time. `account` is empty without one, and `lead` where it was only ever sent to be
    scored; `changes` are the lead's and the account's.
    Scores are without the model's row: `GET /v1/scores/{score_id}` replays it."""

    lead: dict[str, Any]
    account: dict[str, Any]
    aliases: list[dict[str, Any]]
    changes: list[dict[str, Any]]
    events: list[dict[str, Any]]
    stages: list[dict[str, Any]]
    deals: list[dict[str, Any]]
    scores: list[dict[str, Any]]
    feedback: list[dict[str, Any]]


class ErasureAnswer(_Answer):
    """The receipt of an erasure: rows erased from each table, and whether the files of scores on their way into the store are gone, too.

    From `erased_at` on nothing is held. Asking again erases what came since, if anything, and gives a receipt of that.
    `receipt_id` is the call's `X-Request-ID`: the audit has it.
    """

    receipt_id: str
    lead_id: str
    erased_at: str
    erased: dict[str, int]
    spools_cleared: bool
