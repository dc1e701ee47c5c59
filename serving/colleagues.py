"""What others at the account did, for leads that the store holds: read once, shared by every lead and every instant that is asked about."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from pydantic import ConfigDict

from data.colleagues import Together, together
from data.facts import Facts
from data.store import Store
from features.colleagues import Colleagues, Stays, colleagues_of
from features.schema import ROLES, Schema
from features.sorting import sort_by_lead
from features.timeline import build
from registry.models import Rows
from serving.contract import ScoreRequest

_EACH_ROLE = np.arange(len(ROLES), dtype=np.int8)


def role_of(schema: Schema, event_type: str) -> int:
    """What an event of this type, as exported, is in a conversation (`schema.ROLES`); -1 for a type that is left out or not known."""
    kind = schema.kind_code(event_type, None, False)
    return kind if kind < 0 else int(schema.program.role[kind])


@dataclass(frozen=True)
class Around:
    """What happened at the accounts of some leads. Its columns are made once for each schema."""

    together: Together
    _made: dict[str, Colleagues] = field(default_factory=dict)

    def rows(self, schema: Schema, lead_ids: Sequence[str | None], as_of: Sequence[int]) -> Rows:
        """The schema's columns of colleagues of each lead (n,) at its instant, float32 (n, their columns); nobody's for a lead without an account."""
        lead = np.array([self._place.get(id, len(self.together.ids)) for id in lead_ids], np.int64)
        return self._columns(schema).compute(lead, np.array(as_of, np.int64))

    def until(self, instant: int) -> "Around":
        """What the store knew of it at that instant, micros UTC."""
        known = self.together.until(instant)
        return self if known is self.together else Around(known)

    @cached_property
    def _place(self) -> dict[str | None, int]:
        return {id: n for n, id in enumerate(self.together.ids)}

    def _columns(self, schema: Schema) -> Colleagues:
        if schema.hash not in self._made:
            self._made[schema.hash] = _columns_of(self.together, schema)
        return self._made[schema.hash]


def around(store: Store, lead_ids: Sequence[str], schema: Schema) -> Around | None:
    """What happened at the accounts of these leads; None where the schema does not ask for it."""
    return Around(together(store, lead_ids)) if schema.colleagues else None


class StoredRequest(ScoreRequest):
    """A lead as the store knows it: `around` has what others at its account did, in place of `account_events`."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    around: Around | None


def request_of(facts: Facts, others: Around | None) -> StoredRequest:
    """What the store knows of a lead, as if it had been sent; `others`: what it knows of those at its account (`around`)."""
    return StoredRequest.model_construct(
        lead=facts.lead, account=facts.account, events=facts.events, stages=facts.stages, deals=facts.deals, account_events=[], stage=None,
        as_of=None, around=others,
    )  # fmt: skip


def _columns_of(held: Together, schema: Schema) -> Colleagues:
    """The very columns that a dataset's tables come to. One more lead than there is stands nowhere."""
    leads, nothing = len(held.ids) + 1, np.zeros(0, np.int64)
    roles = np.array([role_of(schema, event_type) for event_type in held.types], np.int16)
    events = (held.event_lead, roles[held.event_type], held.event_time, np.zeros(held.event_time.size, np.int64))
    timeline = build(np.zeros(leads, np.int64), events, (nothing, nothing.astype(np.int16), nothing), 1)
    every = np.arange(held.stay_lead.size, dtype=np.int64)
    start, since, _, row = sort_by_lead(leads, held.stay_lead, held.stay_since, np.zeros(every.size, np.int16), every)
    return colleagues_of(timeline, _EACH_ROLE, Stays(start, since, held.stay_account[row], held.accounts))
