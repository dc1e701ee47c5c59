"""The scorer: one bundle version and the live policy; leads' histories in, whole answers out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from secrets import token_hex
from typing import Any, NamedTuple, Self

import numpy as np

from data.contract import format_instant
from data.funnel import Correction, Funnel
from data.ledger import ScoreRecord
from data.policy import DealStage, Policy
from features.attributes import Values
from features.rows import compute_told
from features.timeline import Past
from registry.bundle import FLAT_PATH, Bundle, HopModel
from registry.models import Rows
from serving.advising import Adviser, Standing
from serving.assessment import Reasons, Teller, Told, Way, grade
from serving.contract import ScoreRequest
from serving.errors import NotYetCreated, ServiceError
from serving.histories import History, Reader
from serving.said import REMEMBERING

_NAMED = 5
"""Missing inputs told at most."""

Scored = tuple[dict[str, Any], ScoreRecord]


class _Ahead(NamedTuple):
    """What one stage means to the policy, and the way ahead of it."""

    standing: Standing
    way: Way


@dataclass(frozen=True)
class Scorer:
    """Immutable, so that a request is answered by one bundle and one policy from its first byte to its last."""

    bundle: Bundle
    version: str
    policy: Policy
    corrections: Mapping[str, Correction] = field(default_factory=dict)

    @classmethod
    def of(cls, bundle: Bundle, version: str, funnel: Funnel) -> Self:
        """`funnel` gives the policy and the corrections to the profile; what touches labels and features comes from the bundle."""
        return cls(bundle, version, funnel.policy, funnel.icp)

    @cached_property
    def adviser(self) -> Adviser:
        return Adviser(self.bundle, self.policy, self.corrections)

    @cached_property
    def funnel(self) -> Funnel:
        """The funnel that the bundle was trained with: what stage names mean."""
        return Funnel.from_document(self.bundle.funnel)

    def answer(self, request: ScoreRequest, now: int, all_reasons: bool = False) -> dict[str, Any]:
        """The body of `POST /v1/score`, ready for JSON. `now` is the clock in micros. Raises serving.errors.ServiceError."""
        return self.score(request, now, all_reasons)[0]

    def score(self, request: ScoreRequest, now: int, all_reasons: bool = False, source: str = "request") -> Scored:
        """The same, and what the ledger keeps of it."""
        found = self.score_many([request], now, all_reasons, source=source)[0]
        if isinstance(found, ServiceError):
            raise found
        return found

    def score_many(
        self, requests: Sequence[ScoreRequest], now: int, all_reasons: bool = False, with_reasons: bool = True, source: str = "batch"
    ) -> list[Scored | ServiceError]:
        """Each request's score or refusal, in order, with one sweep over all histories and one call of the models for each stage: the very
        numbers that `score` gives one by one. Without reasons, nothing is told of what speaks for or against."""
        found: list[Scored | ServiceError | None] = [None] * len(requests)
        histories: dict[int, History] = {}
        for i, request in enumerate(requests):
            try:
                histories[i] = self._reader.read(request, now)
            except ServiceError as refusal:
                found[i] = refusal
        places, read = list(histories), list(histories.values())
        for n, scored in self._scored(read, [requests[i].lead_id for i in places], now, all_reasons, with_reasons, source):
            found[places[n]] = scored
        return [one for one in found if one is not None]

    def _scored(
        self, histories: Sequence[History], ids: Sequence[str | None], now: int, everything: bool, with_reasons: bool, source: str
    ) -> Iterator[tuple[int, Scored | ServiceError]]:
        """(place in `histories`, score or refusal), stage by stage."""
        codes, X = compute_told(self.bundle.schema, [history.past for history in histories], [history.values for history in histories])
        if self.bundle.schema.colleagues:
            self._look_around(histories, ids, X)
        standing: dict[int, list[int]] = {}
        for n, code in enumerate(codes):
            standing.setdefault(code, []).append(n)
        yield from ((n, _not_yet_created(histories[n].past)) for n in standing.pop(-1, ()))
        for code, places in standing.items():
            rows = X if len(standing) == 1 and len(places) == len(X) else X[places]
            sent, deals = [histories[n].values for n in places], [self._deal(histories[n]) for n in places]
            judged = self._judged(self._aheads[code], rows, everything, with_reasons, sent, deals)
            for n, row, (told, unknown) in zip(places, rows, judged, strict=True):
                yield n, self._put_together(histories[n], ids[n], self._aheads[code].standing.stage, row, told, unknown, now, source)

    def _look_around(self, histories: Sequence[History], ids: Sequence[str | None], X: Rows) -> None:
        """Writes what the store knows of others at the leads' accounts into their rows."""
        schema = self.bundle.schema
        held = [(n, history.past.as_of, history.around) for n, history in enumerate(histories) if history.around is not None]
        for around in {id(one): one for _, _, one in held}.values():
            places, instants = zip(*((n, as_of) for n, as_of, one in held if one is around), strict=True)
            X[places, schema.swept : len(schema.features)] = around.rows(schema, [ids[n] for n in places], instants)

    def _put_together(
        self, history: History, lead_id: str | None, stage: str, row: Rows, told: Told, unknown: list[str], now: int, source: str
    ) -> Scored:
        # By time, so that the ledger's index grows at its end, and then at random, so that none can be guessed.
        score_id, as_of = f"{now // 1_000:012x}{token_hex(10)}", history.past.as_of
        chances = next(iter(told["transitions"].values()), _NOTHING_AHEAD)
        answer = {
            "score_id": score_id,
            "lead_id": lead_id,
            "stage": stage,
            "as_of": format_instant(as_of),
            **told,
            "warnings": [*history.warnings, _not_given(unknown)] if unknown else [*history.warnings, *self._lacking.get(stage, ())],
            "model": {"version": self.version, "trained_at": self._trained_at},
        }
        record = ScoreRecord(
            score_id,
            lead_id,
            now,
            as_of,
            stage,
            self.version,
            source,
            chances["probability"],
            chances["low"],
            chances["high"],
            chances["score"],
            chances["grade"],
            told["recommendation"]["action"],
            row.astype(_STORED, copy=False).tobytes(),
        )
        return answer, record

    def judge(
        self, stage: str, X: Rows, all_reasons: bool = False, with_reasons: bool = True, deals: Sequence[DealStage | None] | None = None
    ) -> Iterator[dict[str, Any]]:
        """What the answer says of each row (n, p) of leads standing in `stage`: transitions, reach, reasons and recommendation. `deals` are the
        stages of their open deals, where they are known."""
        ahead = self._aheads[self.bundle.schema.stage_code(stage)]
        return (told for told, _ in self._judged(ahead, X, all_reasons, with_reasons, deals=deals))

    def _deal(self, history: History) -> DealStage | None:
        return self.adviser.deal_stage(history.deals, history.past.as_of) if history.deals else None

    def _judged(
        self,
        ahead: _Ahead,
        X: Rows,
        everything: bool,
        with_reasons: bool,
        sent: Sequence[Values] | None = None,
        deals: Sequence[DealStage | None] | None = None,
    ) -> Iterator[tuple[Told, list[str]]]:
        """The same, and the missing inputs that are worth a word. `deals` are the stages of the leads' open deals."""
        standing, way = ahead
        rows, hops = len(X), way.hops
        said: Iterator[Reasons | None] = iter([None] * rows)
        chances: list[list[float]] = [[]] * 4
        if hops and with_reasons and rows:
            judged, effects = way.explained(X)
            chances, said = judged.chances.tolist(), self._teller.reasons(effects, X, everything, sent)
        elif hops and rows:
            chances = way.judged(X).chances.tolist()
        for n, (row, reasons) in enumerate(zip(X, said, strict=True)):
            transitions, reach = self._transitions(hops, [side[n::rows] for side in chances])
            first = next(iter(transitions.values()), _NOTHING_AHEAD)
            told: Told = {
                "transitions": transitions,
                "score": first["score"],
                "grade": first["grade"],
                "probability": first["probability"],
                "reach": reach,
                **(_NO_REASONS if reasons is None else _reasons(reasons)),
                "recommendation": self.adviser.advise(standing, row, transitions, reach, None if deals is None else deals[n]),
            }
            yield told, [] if reasons is None else reasons.unknown

    def _transitions(self, hops: Sequence[HopModel], chances: Sequence[Sequence[float]]) -> tuple[dict[str, Told], dict[str, float]]:
        """Each hop of one lead, from (4, h) chances, and `reach`: P(each later stage, every hop within its horizon of the one before), the product
        along the way, so that the funnel never contradicts itself."""
        transitions, reach, chance, grades = dict[str, Told](), dict[str, float](), 1.0, self.policy.grades
        for hop, probability, low, high, percentile in zip(hops, *chances, strict=True):
            score = round(percentile)
            transitions[hop.transition] = {
                "probability": probability,
                "low": low,
                "high": high,
                "horizon_days": hop.horizon_days,
                "score": score,
                "grade": grade(score, grades),
            }
            chance *= probability
            reach[hop.transition.split("->")[-1]] = chance
        return transitions, reach

    @cached_property
    def _reader(self) -> Reader:
        return Reader(self.bundle.schema, self.funnel)

    @cached_property
    def _teller(self) -> Teller:
        return Teller(self.bundle.schema)

    @cached_property
    def _lacking(self) -> dict[str, tuple[str]]:
        """Of each stage whose next step could not be learned, why."""
        absent = self.bundle.about.get("absent", {})
        return {stage: (REMEMBERING.text("no chance can be told for a {stage:term}: {why}", stage=stage, why=why),) for stage, why in absent.items()}

    @cached_property
    def _aheads(self) -> tuple[_Ahead, ...]:
        """By stage code: the stages in order, then the exits."""
        schema, path = self.bundle.schema, self.bundle.path
        found = []
        for code, stage in enumerate((*schema.stages, *schema.exits)):
            later, way = schema.stages[code + 1 :], Way.of(self.bundle, stage)
            next_stage = next((s for s in later if s in path or (path == FLAT_PATH and stage in path)), None)
            found.append(_Ahead(Standing(stage, stage in schema.exits, next_stage, schema.stages[0]), way))
        return tuple(found)

    @cached_property
    def _trained_at(self) -> str | None:
        found: str | None = self.bundle.about.get("trained_at")
        return found


_NO_REASONS: dict[str, Any] = {"fit": None, "engagement": None, "base": None, "other": None, "reasons": []}
_STORED = np.dtype("<f4")
_NOTHING_AHEAD: Told = dict.fromkeys(("probability", "low", "high", "score", "grade"))


def _reasons(said: Reasons) -> Told:
    return {"fit": said.fit, "engagement": said.engagement, "base": said.base, "other": said.other, "reasons": said.listed}


def _not_given(unknown: Sequence[str]) -> str:
    return REMEMBERING.text("inputs that this model weighs and that are not given: {names}.", names=", ".join(unknown[:_NAMED]))


def _not_yet_created(lead: Past) -> NotYetCreated:
    created = format_instant(lead.created)
    return NotYetCreated(f"lead.created_at ({created}) must not be after as_of ({format_instant(lead.as_of)}). Correct one of them.")
