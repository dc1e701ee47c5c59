"""What one bundle under one policy advises for a lead: its row and chances become the situation that the recommendation looks at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from data.funnel import Correction
from data.policy import DealStage, Facet, Policy, State
from registry.bundle import FLAT_PATH, Bundle
from registry.corrections import profile_of
from registry.models import Rows
from serving.contract import DealRow
from serving.deals import is_open
from serving.economics import Economics
from serving.evidence import FACETS, Evidence
from serving.firms import Firms
from serving.gates import Firm, Held, held_at
from serving.next_steps import NextSteps
from serving.recommendation import Situation, recommend
from serving.said import REMEMBERING
from serving.words import msgid


class Standing(NamedTuple):
    """What one stage means to the policy."""

    stage: str
    in_exit: bool
    next_stage: str | None
    first_stage: str


@dataclass(frozen=True)
class Adviser:
    """Immutable; what the bundle and the policy alone decide is prepared once. `corrections` are the team's, to the ideal customer profile."""

    bundle: Bundle
    policy: Policy
    corrections: Mapping[str, Correction] = field(default_factory=dict)

    def advise(
        self, standing: Standing, row: Rows, transitions: Mapping[str, Any], reach: Mapping[str, float], deal: DealStage | None
    ) -> dict[str, Any]:
        """The answer's `recommendation`, from a lead's row (p,), its `transitions` and `reach` as the answer has them, and its open deal's stage."""
        facts = self._found(standing.stage, row)
        situation = self._situation(standing, row, transitions, reach, facts, deal)
        return recommend(situation, self.policy, self._steps, row, REMEMBERING) | {"known": facts.told}

    def _situation(
        self, standing: Standing, row: Rows, transitions: Mapping[str, Any], reach: Mapping[str, float], facts: "_Facts", deal: DealStage | None
    ) -> Situation:
        transition, first = next(iter(transitions.items()), _NOTHING_AHEAD)
        silent, days = (row.item(i) for i in self._lived)
        wanted = [ago for i in self.evidence.desire_recency if (ago := row.item(i)) == ago]
        bar, cost, outcome = self._fixed
        expected, probability = self.economics.expected(standing.stage, reach), first["probability"]
        return Situation(
            *standing,
            transition,
            first["horizon_days"],
            probability,
            first["low"],
            first["high"],
            first["score"],
            expected,
            bar,
            probability * bar / expected if expected else None,
            cost,
            silent if silent == silent else None,
            days if days == days else 0.0,
            facts.fake_contact,
            outcome,
            facts.firm,
            facts.states,
            facts.held,
            min(wanted) if wanted else None,
            deal,
        )

    def deal_stage(self, deals: Sequence[DealRow], as_of: int) -> DealStage | None:
        """The stage of the latest deal that is open at `as_of` (micros); None where there is none, or nobody knows its name."""
        open_ = [deal for deal in deals if is_open(deal, as_of)]
        name = max(open_, key=lambda deal: deal["opened_at"]).get("stage") if open_ else None
        return None if name is None else self.policy.deal_stage(name)

    @cached_property
    def economics(self) -> Economics:
        return Economics.of(self.bundle, self.policy)

    @cached_property
    def evidence(self) -> Evidence:
        return Evidence(self.bundle.schema, self.policy.facts)

    @cached_property
    def firms(self) -> Firms:
        return Firms(self.bundle.schema, profile_of(self.bundle.about, self.corrections), self.policy.rules.min_fit)

    @cached_property
    def _steps(self) -> NextSteps:
        return NextSteps.of(self.policy.next_steps, self.bundle.schema)

    @cached_property
    def _fixed(self) -> tuple[float, float | None, str | None]:
        """What a contact must bring; what it costs, comparable with what is expected only where values are told; the column that a flat file's bundle
        predicts."""
        cost = self.policy.cost_of_contact if self.economics.told else None
        return self.economics.bar, cost, str(self.bundle.about["flat"]["outcome"]) if self.bundle.path == FLAT_PATH else None

    def _found(self, stage: str, row: Rows) -> "_Facts":
        found = self.evidence.known(row)
        states, told = {facet: state for facet, (state, _) in found.items()}, self.evidence.told(found, row)
        if stage == OPPORTUNITY:
            for facet in (facet for facet in EXPRESSED if states[facet] != "known"):
                states[facet], told[facet] = "known", {"state": "known", "because": [REMEMBERING.text(_EXPRESSED)]}
        firm, first = self.firms.of(row), stage == self.bundle.schema.stages[0]
        held = held_at(firm, states, self._needed[first], not first) if stage in _HELD else None
        return _Facts(states, told, firm, held, self._is_fake(row))

    @cached_property
    def _needed(self) -> Mapping[bool, Mapping[Facet, State]]:
        """The least that must be known, by whether it is the first stage: there likely is enough, later it must be known. What no field and no
        event of this data could show is not asked for."""
        evidence = self.evidence
        first: dict[Facet, State] = {facet: "likely" if evidence.can_be_likely(facet) else "unknown" for facet in FACETS}
        later: dict[Facet, State] = {facet: "known" if evidence.can_be_known(facet) else first[facet] for facet in FACETS}
        return {True: first, False: later}

    @cached_property
    def _column(self) -> Mapping[str, int]:
        return {column.name: i for i, column in enumerate(self.bundle.schema.columns)}

    @cached_property
    def _lived(self) -> tuple[int, int]:
        """Columns of the days of silence and of those in the stage."""
        return self._column["inbound_recency"], self._column["time_in_stage"]

    @cached_property
    def _contact(self) -> tuple[int | None, ...]:
        """Columns of a disposable address, an invalid one, and a valid number."""
        return tuple(self._column.get(name) for name in ("email=disposable", "email=invalid", "phone=valid"))

    def _is_fake(self, row: Rows) -> bool:
        """An address that can't be written to, and no number that can be called."""
        disposable, invalid, valid = (i is not None and row.item(i) == 1.0 for i in self._contact)
        return (disposable or invalid) and not valid


class _Facts(NamedTuple):
    """What the row shows beside its chances. `told` is the answer's `known`."""

    states: Mapping[Facet, State]
    told: Mapping[str, Any]
    firm: Firm
    held: Held | None
    fake_contact: bool


OPPORTUNITY = "opportunity"
EXPRESSED: tuple[Facet, ...] = ("need", "desire")
"""What a prospect has shown by becoming an opportunity."""
_EXPRESSED = msgid("It is an opportunity: interest was expressed in a deal worth pursuing.")
_HELD = ("lead", "prospect", OPPORTUNITY)
_NOTHING_AHEAD: tuple[None, dict[str, Any]] = (None, dict.fromkeys(("probability", "low", "high", "score", "horizon_days")))
