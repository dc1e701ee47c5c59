"""Why a lead's score is another one than before: the change split into new facts, time, the model, and the population that it is ranked in."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from data.colleagues import together
from data.contract import DataError
from data.facts import Facts, facts_of
from data.instants import instants_of
from data.ledger import ScoreRecord, last_stored
from data.store import Store
from registry.bundle import Bundle
from registry.models import Rows
from serving.assessment import Effects, Teller, Way, assess
from serving.colleagues import Around, request_of
from serving.errors import ServiceError
from serving.replay import row_of, told
from serving.scorer import Scorer

MOST_MOVED = 5
"""Features told of one change."""
_KEPT = 2
"""States of the facts held at a time, those of the two scores compared: all of a page would be its changes x the lead's events."""
_NOTHING = 1e-9
"""Log-odds: what rounding moves."""


class Chance(NamedTuple):
    """A probability, and the whole number 0-100 that it is among the population of some bundle."""

    probability: float
    score: int


def chance_of(bundle: Bundle, stage: str, X: Rows) -> Chance | None:
    """What the bundle says of a row (1, p) of a lead in `stage`; None where it can't tell the next transition."""
    answers = assess(bundle, stage, X)
    return Chance(float(answers[0].probability[0]), round(float(answers[0].score[0]))) if answers else None


def probability_parts(before: float, aged: float, informed: float, after: float) -> dict[str, float]:
    """From `before` over the same facts later (`aged`) and the new facts under the old bundle (`informed`) to `after`.

    lead + time + model + population, added in this order, is `after - before` to the last bit: model takes the remainder, and population, which moves
    no probability, what rounding leaves of that.
    """
    change, lead, time = after - before, informed - aged, aged - before
    model = change - (lead + time)
    return {"before": before, "after": after, "lead": lead, "time": time, "model": model, "population": change - (lead + time + model)}


def score_parts(before: int, aged: int, informed: int, ranked: int, after: int) -> dict[str, int]:
    """The same of the score 0-100, exact by construction; `ranked` is the new probability among the old bundle's population."""
    parts = {"lead": informed - aged, "time": aged - before, "model": ranked - informed, "population": after - ranked}
    return {"before": before, "after": after, **parts}


@dataclass
class Explainer:
    """Explains the scores of one lead. `scorer` gives that of a version, DataError where its bundle is not held; `now` is the clock, micros."""

    store: Store
    lead_id: str
    scorer: Callable[[str], Scorer]
    now: int
    _facts: dict[int, Facts | None] = field(default_factory=dict)

    def history(self, records: Sequence[ScoreRecord]) -> list[dict[str, Any]]:
        """The scores, newest first as the ledger gives them, each with its `change` since the one of source `store` before it."""
        earlier = last_stored(self.store, self.lead_id, records[-1].at) if records else None
        found: list[dict[str, Any]] = []
        for record in reversed(records):
            found.append(told(record) | {"change": None if earlier is None else self.change(earlier, record)})
            earlier = record if record.source == "store" else earlier
        return found[::-1]

    def change(self, old: ScoreRecord, new: ScoreRecord) -> dict[str, Any] | None:
        """None where one of the two is no chance (an exit, a last stage, too little known of a transition) or a bundle is no longer held.

        `rebuilt`: whether the facts of then, as the store tells them now, give the model's row of then again; where not, the parts are estimates.
        """
        if old.probability is None or old.score is None or new.probability is None or new.score is None:
            return None
        try:
            model, newer = self.scorer(old.version).bundle, self.scorer(new.version).bundle
            row_before, (row, exact) = row_of(old, model), self._row(model, newer, old, new)
        except DataError:
            return None
        again, later = self._as_known(old.version, old.at, old.as_of, new.as_of)
        before, after = Chance(old.probability, round(old.score)), Chance(new.probability, round(new.score))
        aged = (None if later is None else chance_of(model, later.stage, row_of(later, model))) or before
        informed = (None if row is None else chance_of(model, new.stage, row)) or after
        ranked = _ranked(model, new.stage, after)
        return {
            "since": old.score_id,
            "score": score_parts(before.score, aged.score, informed.score, ranked, after.score),
            "probability": probability_parts(before.probability, aged.probability, informed.probability, after.probability),
            "moved": [] if row is None else moved(model, old.stage, row_before, new.stage, row),
            "rebuilt": exact and again is not None and again.features == old.features,
        }

    def _row(self, model: Bundle, newer: Bundle, old: ScoreRecord, new: ScoreRecord) -> tuple[Rows | None, bool]:
        """The new facts as the old bundle sees them: the new score's own row where both have the same columns."""
        if model.schema.hash == newer.schema.hash:
            return row_of(new, newer), True
        (seen,), (check,) = (self._as_known(version, new.at, new.as_of) for version in (old.version, new.version))
        return None if seen is None else row_of(seen, model), check is not None and check.features == new.features

    def _as_known(self, version: str, until: int, *instants: int) -> list[ScoreRecord | None]:
        """The lead scored by that version from what the store held at `until`, at each of the instants; None where there was nothing to score."""
        facts = self._facts_at(until)
        if facts is None:
            return [None] * len(instants)
        scorer = self.scorer(version)
        others = self._around.until(until) if scorer.bundle.schema.colleagues else None
        requests = [request_of(facts, others).model_copy(update={"as_of": as_of}) for as_of in instants]
        scored = scorer.score_many(requests, self.now, with_reasons=False, source="store")
        return [None if isinstance(answer, ServiceError) else answer[1] for answer in scored]

    def _facts_at(self, until: int) -> Facts | None:
        """A lead that is rescored each night, and of which nothing new came, is read once."""
        last = bisect_right(self._instants, until)
        if last not in self._facts:
            while len(self._facts) >= _KEPT:
                del self._facts[next(iter(self._facts))]
            self._facts[last] = facts_of(self.store, [self.lead_id], until=until).get(self.lead_id) if last else None
        return self._facts[last]

    @cached_property
    def _around(self) -> Around:
        return Around(together(self.store, [self.lead_id]))

    @cached_property
    def _instants(self) -> list[int]:
        return instants_of(self.store, self.lead_id)


def _ranked(model: Bundle, stage: str, after: Chance) -> int:
    """The new probability among the old bundle's population; without one the population has no part in the change."""
    hops = model.hops_from(stage)
    return round(float(hops[0].score(np.array([after.probability]))[0])) if hops else after.score


def moved(bundle: Bundle, old_stage: str, before: Rows, new_stage: str, after: Rows) -> list[dict[str, Any]]:
    """The features whose effects, in the log-odds of this bundle, moved most between two rows (1, p); none where it can't tell one of them."""
    was, is_ = Way.of(bundle, old_stage), Way.of(bundle, new_stage)
    if not was.hops or not is_.hops:
        return []
    change = is_.explained(after)[1].effects - was.explained(before)[1].effects
    change[np.abs(change) < _NOTHING] = 0.0
    nothing = np.zeros(2)
    both = Effects(nothing, nothing, np.concatenate([change, change]))
    told = Teller(bundle.schema).reasons(both, np.concatenate([before, after]), everything=True, sent=None)
    pairs = list(zip(*(one.listed for one in told), strict=True))[:MOST_MOVED]
    return [{"feature": b["feature"], "before": a["value"], "after": b["value"], **{k: b[k] for k in ("effect", "level", "text")}} for a, b in pairs]
