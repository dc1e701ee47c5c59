"""The scorer: one bundle version and the live policy; a lead's history in, the whole answer out."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import isnan
from typing import Any, Self
from uuid import uuid4

import numpy as np

from data.contract import format_instant
from data.funnel import Funnel, Policy
from features.rows import compute
from registry.bundle import Bundle
from registry.models import Rows
from serving.assessment import HopAnswer, assess, grade, reasons
from serving.contract import ScoreRequest
from serving.errors import NotYetCreated
from serving.histories import History, history_of
from serving.recommendation import Situation, recommend

_LEAD = np.zeros(1, np.int64)


@dataclass(frozen=True)
class Scorer:
    """Immutable, so that a request is answered by one bundle and one policy from its first byte to its last."""

    bundle: Bundle
    version: str
    policy: Policy

    @classmethod
    def of(cls, bundle: Bundle, version: str, funnel: Funnel) -> Self:
        """`funnel` gives the policy; what touches labels and features comes from the bundle."""
        return cls(bundle, version, funnel.policy)

    @cached_property
    def funnel(self) -> Funnel:
        """The funnel that the bundle was trained with: what stage names mean."""
        return Funnel.from_document(self.bundle.funnel)

    def answer(self, request: ScoreRequest, now: int, all_reasons: bool = False) -> dict[str, Any]:
        """The body of `POST /v1/score`, ready for JSON. `now` is the clock in micros. Raises serving.errors.ServiceError."""
        history = history_of(request, self.bundle.schema, self.funnel, now)
        stage, X = self._row(history)
        judged = next(self.judge(stage, X, all_reasons))
        return {
            "score_id": uuid4().hex,
            "lead_id": request.lead_id,
            "stage": stage,
            "as_of": format_instant(history.as_of),
            **judged,
            "warnings": history.warnings,
            "model": {"version": self.version, "trained_at": self.bundle.about.get("trained_at")},
        }

    def _row(self, history: History) -> tuple[str, Rows]:
        schema, as_of = self.bundle.schema, np.array([history.as_of], np.int64)
        code, _ = history.timeline.standing(_LEAD, as_of)
        if code[0] < 0:
            created = format_instant(int(history.timeline.created[0]))
            raise NotYetCreated(f"lead.created_at ({created}) must not be after as_of ({format_instant(history.as_of)}). Correct one of them.")
        X = compute(schema, history.timeline, history.known, _LEAD, as_of)
        return (*schema.stages, *schema.exits)[code[0]], X

    def judge(self, stage: str, X: Rows, all_reasons: bool = False, with_reasons: bool = True) -> Iterator[dict[str, Any]]:
        """What the answer says of each row (n, p) of leads standing in `stage`: transitions, reach, reasons and recommendation."""
        answers = assess(self.bundle, stage, X)
        explained = answers[0].hop.explain(X) if answers and with_reasons else None
        for row in range(len(X)):
            transitions = {a.hop.transition: self._transition(a, row) for a in answers}
            first = next(iter(transitions.values()), None)
            yield {
                "transitions": transitions,
                "score": first["score"] if first else None,
                "grade": first["grade"] if first else None,
                "probability": first["probability"] if first else None,
                "reach": _reach(transitions),
                **(_NO_REASONS if explained is None else self._reasons(answers[0], X, row, explained, all_reasons)),
                "recommendation": recommend(self._situation(stage, X[row], first), self.policy),
            }

    def _transition(self, answer: HopAnswer, row: int) -> dict[str, Any]:
        score = round(float(answer.score[row]))
        return {
            "probability": float(answer.probability[row]),
            "low": float(answer.low[row]),
            "high": float(answer.high[row]),
            "horizon_days": answer.hop.horizon_days,
            "score": score,
            "grade": grade(score, self.policy.grades),
        }

    def _reasons(self, answer: HopAnswer, X: Rows, row: int, explained: tuple[Any, Any], everything: bool) -> dict[str, Any]:
        base, effects = explained
        found = reasons(self.bundle, answer, X, row, effects[row], float(base[row]), everything)
        return {"fit": found.fit, "engagement": found.engagement, "base": found.base, "other": found.other, "reasons": list(found.listed)}

    @cached_property
    def _column(self) -> dict[str, int]:
        return {column.name: i for i, column in enumerate(self.bundle.schema.columns)}

    def _situation(self, stage: str, row: Rows, first: dict[str, Any] | None) -> Situation:
        path, schema = self.bundle.path, self.bundle.schema
        later = schema.stages[schema.stages.index(stage) + 1 :] if stage in schema.stages else ()
        chances = {} if first is None else {name: first[name] for name in ("probability", "low", "high", "score")}
        return Situation(
            stage,
            in_exit=stage in schema.exits,
            next_stage=next((s for s in later if s in path), None),
            first_stage=schema.stages[0],
            silent_days=self._value(row, "inbound_recency"),
            days_in_stage=self._value(row, "time_in_stage") or 0.0,
            fake_contact=self._fake_contact(row),
            **chances,
        )

    def _value(self, row: Rows, name: str) -> float | None:
        value = float(row[self._column[name]])
        return None if isnan(value) else value

    def _fake_contact(self, row: Rows) -> bool:
        """An address that can't be written to, and no number that can be called."""
        said = {name for name in ("email=disposable", "email=invalid", "phone=valid") if name in self._column and row[self._column[name]] == 1.0}
        return bool(said) and "phone=valid" not in said


_NO_REASONS: dict[str, Any] = {"fit": None, "engagement": None, "base": None, "other": None, "reasons": []}


def _reach(transitions: dict[str, dict[str, Any]]) -> dict[str, float]:
    """P(each later stage, every hop within its horizon of the one before): the product along the way, so the funnel never contradicts itself."""
    reach, chance = {}, 1.0
    for transition, told in transitions.items():
        chance *= told["probability"]
        reach[transition.split("->")[1]] = chance
    return reach
