"""The scorer: one bundle version and the live policy; leads' histories in, whole answers out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isnan
from secrets import token_hex
from typing import Any, NamedTuple, Self

from data.contract import format_instant
from data.funnel import Funnel, Policy
from data.ledger import ScoreRecord
from features.rows import compute
from features.timeline import instants, stages_at
from registry.bundle import Bundle
from registry.models import Rows
from serving.assessment import HopAnswer, Reasons, Row, Teller, Told, Way, grade
from serving.contract import ScoreRequest
from serving.errors import NotYetCreated, ServiceError
from serving.histories import History, Reader, together
from serving.recommendation import Situation, recommend

_NAMED = 5
"""Missing inputs told at most."""

Scored = tuple[dict[str, Any], ScoreRecord]
Sent = Mapping[str, str | None]


class _Standing(NamedTuple):
    """What one stage means to the policy, and the way ahead of it."""

    stage: str
    in_exit: bool
    next_stage: str | None
    way: Way


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
        timeline, sent = together(histories, self.bundle.schema)
        as_of = [history.as_of for history in histories]
        standing: dict[int, list[int]] = {}
        for n, code in enumerate(stages_at(timeline, as_of)):
            standing.setdefault(code, []).append(n)
        yield from ((n, _not_yet_created(histories[n])) for n in standing.pop(-1, ()))
        for code, places in standing.items():
            X = compute(self.bundle.schema, timeline, sent, instants(places), instants([as_of[n] for n in places]))
            judged = self._judged(self._standings[code], X, everything, with_reasons, [sent.values[n] for n in places])
            for n, row, (told, unknown) in zip(places, X, judged, strict=True):
                yield n, self._put_together(histories[n], ids[n], self._standings[code].stage, row, told, unknown, now, source)

    def _put_together(
        self, history: History, lead_id: str | None, stage: str, row: Rows, told: Told, unknown: list[str], now: int, source: str
    ) -> Scored:
        # By time, so that the ledger's index grows at its end, and then at random, so that none can be guessed.
        score_id, first = f"{now // 1_000:012x}{token_hex(10)}", next(iter(told["transitions"].values()), _NOTHING_AHEAD)
        answer = {
            "score_id": score_id,
            "lead_id": lead_id,
            "stage": stage,
            "as_of": format_instant(history.as_of),
            **told,
            "warnings": [*history.warnings, *_not_given(unknown)],
            "model": {"version": self.version, "trained_at": self.bundle.about.get("trained_at")},
        }
        record = ScoreRecord(
            score_id=score_id,
            lead_id=lead_id,
            at=now,
            as_of=history.as_of,
            stage=stage,
            version=self.version,
            source=source,
            probability=first["probability"],
            low=first["low"],
            high=first["high"],
            score=first["score"],
            grade=first["grade"],
            action=told["recommendation"]["action"],
            features=row.astype("<f4", copy=False).tobytes(),
        )
        return answer, record

    def judge(self, stage: str, X: Rows, all_reasons: bool = False, with_reasons: bool = True) -> Iterator[dict[str, Any]]:
        """What the answer says of each row (n, p) of leads standing in `stage`: transitions, reach, reasons and recommendation."""
        standing = self._standings[self.bundle.schema.stage_code(stage)]
        return (told for told, _ in self._judged(standing, X, all_reasons, with_reasons))

    def _judged(
        self, standing: _Standing, X: Rows, everything: bool, with_reasons: bool, sent: Sequence[Sent] | None = None
    ) -> Iterator[tuple[Told, list[str]]]:
        """The same, and the missing inputs that are worth a word."""
        rows: list[Row] = X.tolist()
        reasons: Iterator[Reasons | None] = iter([None] * len(rows))
        if standing.way.hops and with_reasons:
            answers, effects = standing.way.explained(X)
            reasons = self._teller.reasons(effects, rows, everything, sent)
        else:
            answers = standing.way.answers(X)
        for row, transitions, said in zip(rows, self._transitions(answers, len(rows)), reasons, strict=True):
            first = next(iter(transitions.values()), None)
            told: Told = {
                "transitions": transitions,
                "score": first["score"] if first else None,
                "grade": first["grade"] if first else None,
                "probability": first["probability"] if first else None,
                "reach": _reach(transitions),
                **(_NO_REASONS if said is None else _reasons(said)),
                "recommendation": recommend(self._situation(standing, row, first), self.policy),
            }
            yield told, [] if said is None else said.unknown

    def _transitions(self, answers: Sequence[HopAnswer], rows: int) -> Iterator[dict[str, Told]]:
        hops = [
            (a.hop.transition, a.hop.horizon_days, a.probability.tolist(), a.low.tolist(), a.high.tolist(), list(map(round, a.score.tolist())))
            for a in answers
        ]
        for row in range(rows):
            yield {
                transition: {
                    "probability": probability[row],
                    "low": low[row],
                    "high": high[row],
                    "horizon_days": horizon_days,
                    "score": score[row],
                    "grade": grade(score[row], self.policy.grades),
                }
                for transition, horizon_days, probability, low, high, score in hops
            }

    @cached_property
    def _reader(self) -> Reader:
        return Reader(self.bundle.schema, self.funnel)

    @cached_property
    def _teller(self) -> Teller:
        return Teller(self.bundle.schema)

    @cached_property
    def _standings(self) -> tuple[_Standing, ...]:
        """By stage code: the stages in order, then the exits."""
        schema, path = self.bundle.schema, self.bundle.path
        found = []
        for code, stage in enumerate((*schema.stages, *schema.exits)):
            later = schema.stages[code + 1 :]
            found.append(_Standing(stage, stage in schema.exits, next((s for s in later if s in path), None), Way.of(self.bundle, stage)))
        return tuple(found)

    @cached_property
    def _column(self) -> dict[str, int]:
        return {column.name: i for i, column in enumerate(self.bundle.schema.columns)}

    @cached_property
    def _contact(self) -> tuple[int | None, ...]:
        """Columns of a disposable address, an invalid one, and a valid number."""
        return tuple(self._column.get(name) for name in ("email=disposable", "email=invalid", "phone=valid"))

    def _situation(self, standing: _Standing, row: Row, first: Told | None) -> Situation:
        silent, days = row[self._column["inbound_recency"]], row[self._column["time_in_stage"]]
        chances = first or _NOTHING_AHEAD
        return Situation(
            standing.stage,
            in_exit=standing.in_exit,
            next_stage=standing.next_stage,
            first_stage=self.bundle.schema.stages[0],
            probability=chances["probability"],
            low=chances["low"],
            high=chances["high"],
            score=chances["score"],
            silent_days=None if isnan(silent) else silent,
            days_in_stage=0.0 if isnan(days) else days,
            fake_contact=self._fake_contact(row),
        )

    def _fake_contact(self, row: Row) -> bool:
        """An address that can't be written to, and no number that can be called."""
        disposable, invalid, valid = (i is not None and row[i] == 1.0 for i in self._contact)
        return (disposable or invalid) and not valid


_NO_REASONS: dict[str, Any] = {"fit": None, "engagement": None, "base": None, "other": None, "reasons": []}
_NOTHING_AHEAD: Told = dict.fromkeys(("probability", "low", "high", "score", "grade"))


def _reasons(said: Reasons) -> Told:
    return {"fit": said.fit, "engagement": said.engagement, "base": said.base, "other": said.other, "reasons": said.listed}


def _not_given(unknown: Sequence[str]) -> Iterator[str]:
    if unknown:
        yield f"inputs that this model weighs and that are not given: {', '.join(unknown[:_NAMED])}."


def _not_yet_created(history: History) -> NotYetCreated:
    created = format_instant(history.created)
    return NotYetCreated(f"lead.created_at ({created}) must not be after as_of ({format_instant(history.as_of)}). Correct one of them.")


def _reach(transitions: dict[str, Told]) -> dict[str, float]:
    """P(each later stage, every hop within its horizon of the one before): the product along the way, so the funnel never contradicts itself."""
    reach, chance = {}, 1.0
    for transition, told in transitions.items():
        chance *= told["probability"]
        reach[transition.split("->")[1]] = chance
    return reach
