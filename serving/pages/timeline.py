"""What happened with one lead, as people read it: the newest first, and what came several times on one day said once."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from data.contract import DAY, EXITS
from data.funnel import Funnel
from serving import terms
from serving.pages.overriding import reason_told
from serving.words import Words, msgid

_ENTERED, _LEFT = msgid("Entered the stage: {stage}"), msgid("Left the funnel: {stage}")
_CLOSED = {"won": msgid("A deal was won"), "lost": msgid("A deal was lost")}
_CLOSED_SOMEHOW = msgid("A deal was closed")
_CHANGED, _CLEARED = msgid("{field} is now {value}"), msgid("{field} is no longer known")
_USEFUL = {True: msgid("the score was useful"), False: msgid("the score was not useful")}


@dataclass(frozen=True, slots=True)
class Entry:
    """`kind`: inbound (the lead did it), outbound (it was done with the lead), other, stage, deal, change or feedback. `count`: how often on that
    day (UTC), the last time at `at` (micros UTC)."""

    at: int
    kind: str
    text: str
    detail: str = ""
    count: int = 1


@dataclass(frozen=True)
class Timeline:
    """Tells what `data.leads.held_on` holds."""

    words: Words
    funnel: Funnel

    def entries(self, held: Mapping[str, Any], now: int) -> list[Entry]:
        """Newest first. What is dated later than `now` has not happened yet and is left out."""
        every = [*self._events(held["events"]), *self._stages(held), *self._deals(held["deals"]), *self._changes(held), *self._said(held["feedback"])]
        every.sort(key=lambda entry: entry.at, reverse=True)
        return list(_counted(entry for entry in every if entry.at <= now))

    def event(self, type: str) -> tuple[str, str]:
        """(kind, what it is called) of an event of that type: the team's own label, a known one in this language, or the type's name."""
        if type not in self._events_told:
            meant = self.funnel.event_type(type)
            told = self.words.text(meant.label) if meant.label else type.replace("_", " ").capitalize()
            self._events_told[type] = meant.direction or "other", told
        return self._events_told[type]

    @cached_property
    def _events_told(self) -> dict[str, tuple[str, str]]:
        """Each type is looked up once: a busy lead has ten thousand events of ten."""
        return {}

    def _events(self, rows: Iterable[Mapping[str, Any]]) -> Iterator[Entry]:
        for row in rows:
            value = None if row.get("value") is None else self.words.number(row["value"])
            detail = " · ".join(filter(None, (row.get("channel"), value, row.get("detail"))))
            yield Entry(row["occurred_at"], *self.event(row["type"]), detail)

    def _stages(self, held: Mapping[str, Any]) -> Iterator[Entry]:
        if "created_at" in held["lead"]:
            yield Entry(held["lead"]["created_at"], "stage", self.words.text("Became known to us"))
        for row in held["stages"]:
            stage = self.funnel.stage_of(row["stage"]) or row["stage"]
            text = self.words.text(_LEFT if stage in EXITS else _ENTERED, stage=terms.stage(self.words, stage))
            yield Entry(row["entered_at"], "stage", text, row.get("reason") or "")

    def _deals(self, rows: Iterable[Mapping[str, Any]]) -> Iterator[Entry]:
        for row in rows:
            amount = None if row.get("amount") is None else self.words.money(row["amount"], row.get("currency"))
            yield Entry(row["opened_at"], "deal", self.words.text("A deal was opened"), amount or "")
            if row.get("closed_at") is not None and row.get("outcome") is not None:
                text = _CLOSED.get(row.get("outcome") or "", _CLOSED_SOMEHOW)
                detail = " · ".join(filter(None, (amount, row.get("reason"), row.get("competitor"))))
                yield Entry(row["closed_at"], "deal", self.words.text(text), detail)

    def _changes(self, held: Mapping[str, Any]) -> Iterator[Entry]:
        """Without the first entry of each history: what was known from the beginning changed nothing."""
        seen = set[tuple[str, str]]()
        for row in held["changes"]:
            if (row["object"], row["field"]) in seen:
                told = _CLEARED if row["value"] is None else _CHANGED
                text = self.words.text(told, field=terms.field(self.words, row["field"]), value=row["value"])
                yield Entry(row["changed_at"], "change", text)
            seen.add((row["object"], row["field"]))

    def _said(self, rows: Iterable[Mapping[str, Any]]) -> Iterator[Entry]:
        for row in rows:
            parts = [terms.action(self.words, row["action"]) if row.get("action") in terms.ACTIONS else None]
            parts.append(reason_told(self.words, row["reason"]) if row.get("reason") else None)
            if row.get("useful") is not None:
                parts.append(self.words.text(_USEFUL[row["useful"]]))
            text = self.words.text("{who} said", who=row["by"]) if row.get("by") else self.words.text("A person said")
            yield Entry(row["at"], "feedback", text, " · ".join(filter(None, parts)))


def _counted(entries: Iterable[Entry]) -> Iterator[Entry]:
    """The same with what follows its like on the same day put together; a detail of its own keeps an entry apart."""
    waiting: Entry | None = None
    for entry in entries:
        if waiting is not None and (waiting.kind, waiting.text, waiting.detail, waiting.at // DAY) == (
            entry.kind, entry.text, entry.detail, entry.at // DAY,
        ):  # fmt: skip
            waiting = replace(waiting, count=waiting.count + 1)
            continue
        if waiting is not None:
            yield waiting
        waiting = entry
    if waiting is not None:
        yield waiting
