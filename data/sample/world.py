"""A simulated company's CRM and the exact chances behind it."""

from dataclasses import dataclass

import numpy as np

from data.contract import DAY
from data.sample.lives import Histories, live
from data.sample.parameters import CUSTOMER, DAYS, END, LEAD, OPPORTUNITY, Floats, Ints, Laws, laws
from data.sample.people import People, people
from data.sample.truth import arrival_chances, beliefs, reach_chances

TRANSITIONS = ("lead->prospect", "prospect->opportunity", "opportunity->customer")
HORIZON_DAYS = tuple(range(7, 120, 7))
REACH_DAYS = tuple(range(14, 99, 14))


@dataclass(frozen=True)
class Truth:
    """The open leads at `as_of` (micros), m of them: index of the lead, index into `TRANSITIONS`, and P(transition) (m, horizons)."""

    as_of: int
    lead: Ints
    transition: Ints
    horizon_days: tuple[int, ...]
    probability: Floats


@dataclass(frozen=True)
class Reach:
    """Who stands in `lead` at `as_of`, m of them: P(prospect within the first, then opportunity within the second), (m, first, second)."""

    as_of: int
    lead: Ints
    prospect_horizon_days: tuple[int, ...]
    opportunity_horizon_days: tuple[int, ...]
    probability: Floats


@dataclass(frozen=True)
class Moment:
    """What was known at `as_of`, a midnight: chances of the three intents (n, 3), and stage (n,), -1 for leads not yet created."""

    world: "World"
    as_of: int
    belief: Floats
    stage: Ints

    def truth(self, horizon_days: tuple[int, ...] = HORIZON_DAYS) -> Truth:
        """P(the next or a later stage is entered in (as_of, as_of + horizon]), also after an exit, for every open lead."""
        lead = np.flatnonzero((self.stage >= LEAD) & (self.stage <= OPPORTUNITY))
        fit, stage = self.world.people.fit[lead], self.stage[lead]
        by_day = arrival_chances(self.belief[lead], stage, fit, self.world.laws, max(horizon_days))
        return Truth(self.as_of, lead, stage, horizon_days, by_day[:, list(horizon_days)])

    def reach(self, prospect_days: tuple[int, ...] = REACH_DAYS, opportunity_days: tuple[int, ...] = REACH_DAYS) -> Reach:
        """P(prospect within h1 of `as_of`, then opportunity within h2 of that moment). A skip past prospect counts as both at once."""
        lead = np.flatnonzero(self.stage == LEAD)
        first, second = np.array(prospect_days), np.array(opportunity_days)
        chances = reach_chances(self.belief[lead], self.world.people.fit[lead], self.world.laws, first, second)
        return Reach(self.as_of, lead, prospect_days, opportunity_days, chances)

    def entered(self, horizon_days: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """(n,) whether a stage above the present one was entered in (as_of, as_of + horizon]; never for leads in an exit or not yet created."""
        day, past = self.world.day(self.as_of), self.world.histories
        lead = np.repeat(np.arange(len(self.stage)), np.diff(past.change_start))
        within = (past.change_day >= day) & (past.change_day < day + horizon_days)
        above = (past.change_to > self.stage[lead]) & (past.change_to <= CUSTOMER) & (self.stage[lead] >= LEAD)
        return np.bincount(lead[within & above], minlength=len(self.stage)) > 0


@dataclass(frozen=True)
class World:
    """Everything that happened to n leads, and the laws it happened by, until the midnight `end` (micros UTC)."""

    seed: int
    laws: Laws
    people: People
    histories: Histories
    end: int = END

    @property
    def start(self) -> int:
        """The midnight at which the world begins, micros UTC."""
        return self.end - DAYS * DAY

    def day(self, as_of: int) -> int:
        """The world's day that begins at this midnight (micros), 0 to `DAYS`. ValueError for any other instant."""
        day, rest = divmod(as_of - self.start, DAY)
        if rest or not 0 <= day <= DAYS:
            raise ValueError(f"as_of must be a midnight UTC between {self.start} and {self.end} micros, got {as_of}")
        return day

    def at(self, *as_of: int) -> list[Moment]:
        """What was known at each of these midnights (micros, ascending), in one sweep: all that was recorded at or before it."""
        belief, stage = beliefs(self.people, self.histories, self.laws, np.array([self.day(moment) for moment in as_of]))
        return [Moment(self, moment, belief[row], stage[row]) for row, moment in enumerate(as_of)]

    def truth(self, as_of: int, horizon_days: tuple[int, ...] = HORIZON_DAYS) -> Truth:
        """The exact chances of every open lead's next transition: see `Moment.truth`."""
        return self.at(as_of)[0].truth(horizon_days)

    def reach(self, as_of: int, prospect_days: tuple[int, ...] = REACH_DAYS, opportunity_days: tuple[int, ...] = REACH_DAYS) -> Reach:
        """The exact chances of getting all the way from lead to opportunity: see `Moment.reach`."""
        return self.at(as_of)[0].reach(prospect_days, opportunity_days)


def simulate(leads: int = 12_000, seed: int = 0, end: int = END) -> World:
    """A world of `leads` leads up to the midnight `end` (micros UTC). Lead i of a seed lives the same life however many there are, and
    whenever it ends."""
    if end % DAY:
        raise ValueError(f"end must be a midnight UTC in micros, got {end}")
    crowd, rules = people(leads, seed), laws()
    return World(seed, rules, crowd, live(crowd, rules, seed), end)
