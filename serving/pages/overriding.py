"""What a person says of a lead with one click: another action than was recommended, or how it went, and why."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from serving.calls.leads import keep_feedback, name_of
from serving.errors import MalformedBody
from serving.pages.frame import Visit
from serving.rows import FEEDBACK
from serving.words import Words, msgid

SCOPE = "ingest"
"""That of `POST /v1/feedback`, which does the same."""


@dataclass(frozen=True, slots=True)
class Saying:
    """One button: the action that should stand (None: that which does), and the reason, an English text of the catalogues.

    The English text is what is stored, so that what a team says can be counted in whatever language it was read.
    """

    key: str
    action: str | None
    reason: str


SAYINGS: Mapping[str, Saying] = MappingProxyType(
    {
        saying.key: saying
        for saying in (
            Saying("reached", None, msgid("Reached, going on as recommended")),
            Saying("no_answer", None, msgid("No answer yet")),
            Saying("wants_call", "work_now", msgid("Asked to be called")),
            Saying("qualified", "advance", msgid("Need and budget confirmed")),
            Saying("no_budget", "nurture", msgid("No budget right now")),
            Saying("bad_timing", "nurture", msgid("The timing is wrong")),
            Saying("waiting", "hold", msgid("Waiting for an answer from them")),
            Saying("came_back", "recycle", msgid("Start again from the beginning")),
            Saying("no_fit", "disqualify", msgid("Not a fit")),
            Saying("unreachable", "disqualify", msgid("The contact details are wrong")),
        )
    }
)
_REASONS = {saying.reason for saying in SAYINGS.values()}


def reason_told(words: Words, reason: str) -> str:
    """A stored reason for people: one of the buttons' in their language, another as it was written."""
    return words.text(reason) if reason in _REASONS else reason


async def say(visit: Visit, lead_id: str) -> None:
    """Store what the visit's form says of the lead: a button (`said`), or `action`, `useful` and `reason` by hand. Raises what feedback is refused
    for."""
    (row,) = FEEDBACK.check([_row(visit.form, lead_id)])
    await asyncio.to_thread(keep_feedback, row, visit.service, name_of(visit.caller))


def _row(form: Mapping[str, str], lead_id: str) -> dict[str, Any]:
    given: dict[str, Any] = {name: text for name in ("action", "reason", "score_id") if (text := form.get(name, "").strip())}
    if form.get("useful"):
        given["useful"] = form["useful"] == "yes"
    said = form.get("said")
    if said:
        if said not in SAYINGS:
            raise MalformedBody("the field said must be one of the page's buttons. Load the page again.")
        saying = SAYINGS[said]
        given |= {"reason": given.get("reason", saying.reason)} | ({"action": saying.action} if saying.action else {})
    return {"lead_id": lead_id, **given}
