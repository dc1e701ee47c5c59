"""Which contact or content comes next: the team's table from stage, gate and level of interest, less what the lead has had."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from data.policy import DealStage, Gate, State, Step
from features.schema import Schema
from registry.models import Rows


class Wanted(NamedTuple):
    """What a step is wanted for. `personal`: a contact before content, else content before a contact."""

    stage: str
    gate: Gate | None
    level: State
    personal: bool
    deal: DealStage | None = None


@dataclass(frozen=True)
class NextSteps:
    """The table of one policy, and which of the row's columns count the events after which a step has been had."""

    table: Mapping[str, Sequence[Step]]
    counted: Mapping[str, int] = field(default_factory=dict)
    _ranked: dict[Wanted, tuple[tuple[str, tuple[int, ...]], ...]] = field(default_factory=dict, compare=False)

    @classmethod
    def of(cls, table: Mapping[str, Sequence[Step]], schema: Schema) -> "NextSteps":
        place = {column.name: i for i, column in enumerate(schema.columns)}
        return cls(table, {kind.name: place[f"{kind.name}_count_ever"] for kind in schema.types})

    def first(self, wanted: Wanted, row: Rows | None = None) -> str | None:
        """The text of the best step that the lead of this row (p,) has not had; None where none is left, or none is listed."""
        for text, columns in self._of(wanted):
            if row is None:
                return text
            for column in columns:
                if row.item(column) > 0:
                    break
            else:
                return text
        return None

    def _of(self, wanted: Wanted) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """Those that suit, best first, each with the columns that count it as had; there are few combinations, so each is remembered."""
        found = self._ranked.get(wanted)
        if found is None:
            found = tuple(
                (step.text, tuple(self.counted[name] for name in step.had if name in self.counted))
                for step in ranked(self.table.get(wanted.stage, ()), wanted)
            )
            self._ranked[wanted] = found
        return found


def ranked(steps: Sequence[Step], wanted: Wanted) -> list[Step]:
    """The steps that suit, best first: of the kind that is wanted, then made for this gate, then as listed. Where the gate's own steps are had, those
    for any gate follow, and at last those for other gates: another good step is better than none."""
    suiting = [step for step in steps if _suits(step, wanted)]
    return sorted(suiting, key=lambda step: ((step.kind == "contact") != wanted.personal, _distance(step, wanted.gate)))


def _suits(step: Step, wanted: Wanted) -> bool:
    return (not step.levels or wanted.level in step.levels) and (not step.deals or wanted.deal is None or wanted.deal in step.deals)


def _distance(step: Step, gate: Gate | None) -> int:
    """0 for a step made for the gate, 1 for one that suits any, 2 for one made for another."""
    return 1 if not step.gates else 0 if gate in step.gates else 2
