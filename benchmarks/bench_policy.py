"""What the recommendation earns, against calling the highest score, the likeliest, the newest, and anybody, with the same capacity.

Measured on sample worlds, whose true chances are known: a model is trained on what was before the last eight weeks, and on each Monday of these weeks
every rule picks whom the team calls in that week, nobody twice. A call earns the lead's true chance to become an opportunity (within the model's
horizons) times what one is worth, less what a call costs, so that luck has no part in it; one that can reach nobody (a made-up address, no number)
earns nothing. The recommendation calls those to advance or to work, as long as they last, whoever is expected to bring most first; the other rules
call until the week is full. Leads and prospects are called; open opportunities are worked on in any case. Told per week, mean over the seeds, with
the 90 % interval (t) of the difference to the recommendation.
Bar: the recommendation earns more than the highest score, the newest and anybody, at every capacity, with the whole interval above zero.
Command: `.venv/bin/python benchmarks/bench_policy.py [SEEDS] [LEADS]`, with 5 seeds of 2,000 leads about five minutes where nothing else runs.
It gets better for the others where capacity is scarce and stages are alike: then the best few are the same by any sensible order.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from scipy.stats import t as student

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from data.contract import DAY, format_instant
from data.dataset import Dataset, read_dataset
from data.funnel import Funnel
from data.sample import World, simulate, write_sample
from data.sample.parameters import END
from data.sample.people import EMAILS, PHONES
from features.rows import Cohort, compute
from features.tables import cohort_of
from registry.bundle import Bundle
from serving.scorer import Scorer
from training.run import train

WEEKS = 8
CALLS_A_DAY = (1, 2, 5, 10)
COST, VALUE = 12.5, 900.0
FIRST_SEED = 201
"""None that anything was fixed on while it was built."""
RULES = ("recommendation", "expected value", "likeliest", "highest score", "newest", "anybody")
CALLED = ("advance", "work_now")
STAGES = ("lead", "prospect")
Floats = np.ndarray[tuple[int], np.dtype[np.float64]]


@dataclass(frozen=True)
class Monday:
    """The leads and prospects that are open, m of them: index of the lead, what a call truly earns, whether the recommendation calls, and for each
    rule the number that it sorts by, the highest first."""

    lead: np.ndarray[tuple[int], np.dtype[np.int64]]
    earns: Floats
    called: np.ndarray[tuple[int], np.dtype[np.bool_]]
    order: Mapping[str, Floats]


def policy_of(calls: int) -> Funnel:
    """The team's funnel.toml: its capacity, what a contact costs and what an opportunity is worth."""
    values = {"capacity_per_day": calls, "cost_of_contact": COST, "value_of_conversion": {"prospect->opportunity": VALUE}}
    return Funnel.from_document({"policy": values})


def true_worth(world: World, as_of: int, horizons: tuple[int, int]) -> Mapping[int, float]:
    """By index of every open lead and prospect at that midnight: what a call truly earns."""
    moment, (first, second) = world.at(as_of)[0], horizons
    reach, truth = moment.reach((first,), (second,)), moment.truth((second,))
    ahead = dict(zip(reach.lead.tolist(), reach.probability[:, 0, 0].tolist(), strict=True))
    near = zip(truth.lead.tolist(), truth.transition.tolist(), truth.probability[:, 0].tolist(), strict=True)
    chances = ahead | {lead: chance for lead, transition, chance in near if transition == 1}
    people = world.people
    unreachable = np.isin(people.email, [EMAILS.index("disposable"), EMAILS.index("malformed")]) & (people.phone != PHONES.index("valid"))
    return {lead: chance * VALUE * (not unreachable[lead]) - COST for lead, chance in chances.items()}


def monday_of(scorer: Scorer, cohort: Cohort, worth: Mapping[int, float], as_of: int) -> Monday:
    """What each rule sees of the open leads at that instant, by a bundle that knows nothing later."""
    every = np.arange(cohort.timeline.leads, dtype=np.int64)
    code, _ = cohort.timeline.standing(every, np.full(every.size, as_of, np.int64))
    leads, called, found = list[int](), list[bool](), {rule: list[float]() for rule in ("expected value", "likeliest", "highest score")}
    for stage in STAGES:
        open_ = every[code == scorer.bundle.schema.stage_code(stage)]
        X = compute(scorer.bundle.schema, cohort, open_, np.full(open_.size, as_of, np.int64))
        for lead, told in zip(open_.tolist(), scorer.judge(stage, X, with_reasons=False), strict=True):
            leads.append(lead)
            called.append(told["recommendation"]["action"] in CALLED)
            found["expected value"].append(scorer.adviser.economics.expected(stage, told["reach"]) or 0.0)
            found["likeliest"].append(told["probability"] or 0.0)
            found["highest score"].append(told["score"] or 0.0)
    order = {rule: np.array(values) for rule, values in found.items()}
    order |= {"recommendation": order["expected value"], "newest": cohort.timeline.created[leads].astype(np.float64), "anybody": np.zeros(len(leads))}
    return Monday(np.array(leads), np.array([worth[lead] for lead in leads]), np.array(called), order)


def earned(mondays: Sequence[Monday], rule: str, calls: int) -> float:
    """What the rule earns a week with so many calls, nobody called twice. Those alike share what is left: the mean of any order."""
    left, total = np.ones(1 + max(int(monday.lead.max()) for monday in mondays)), 0.0
    for monday in mondays:
        share = _picked(monday, rule, left[monday.lead], float(calls))
        total += float(share @ monday.earns)
        left[monday.lead] -= share
    return total / len(mondays)


def _picked(monday: Monday, rule: str, left: Floats, calls: float) -> Floats:
    """How much of each lead is called (m,): what is `left` of it, the first in order first."""
    open_ = left * monday.called if rule == "recommendation" else left.copy()
    share = np.zeros(open_.size)
    values, level = np.unique(-monday.order[rule], return_inverse=True)
    for at in range(values.size):
        alike = np.flatnonzero(level == at)
        waiting = float(open_[alike].sum())
        if waiting > 0:
            share[alike] = open_[alike] * min(1.0, calls / waiting)
            calls -= min(calls, waiting)
        if calls <= 0:
            break
    return share


def horizons_of(bundle: Bundle) -> tuple[int, int]:
    """Days of lead->prospect and of prospect->opportunity."""
    first, second = bundle.hops_from("lead")[:2]
    return first.horizon_days, second.horizon_days


def of_seed(leads: int, seed: int) -> dict[int, dict[str, float]]:
    """By calls a day, what each rule earns a week."""
    world, first = simulate(leads, seed), END - WEEKS * 7 * DAY
    instants = [first + week * 7 * DAY for week in range(WEEKS)]
    with TemporaryDirectory() as folder:
        write_sample(Path(folder) / "world", leads, seed)
        dataset: Dataset = read_dataset(Path(folder) / "world", funnel=Funnel())[0]
    bundle = train(dataset, Funnel(data_end=format_instant(first)), END).bundle
    cohort = cohort_of(dataset, bundle.schema)
    worths = [true_worth(world, at, horizons_of(bundle)) for at in instants]
    found = {}
    for calls in CALLS_A_DAY:
        scorer = Scorer.of(bundle, "1", policy_of(calls))
        mondays = [monday_of(scorer, cohort, worth, at) for worth, at in zip(worths, instants, strict=True)]
        found[calls] = {rule: earned(mondays, rule, 5 * calls) for rule in RULES}
    return found


def interval(differences: Floats) -> tuple[float, float]:
    """90 % interval of the mean over seeds."""
    half = student.ppf(0.95, differences.size - 1) * differences.std(ddof=1) / np.sqrt(differences.size)
    return float(differences.mean() - half), float(differences.mean() + half)


def main(seeds: int, leads: int) -> None:
    found = []
    for seed in range(FIRST_SEED, FIRST_SEED + seeds):
        found.append(of_seed(leads, seed))
        print(f"seed {seed} done", file=sys.stderr, flush=True)
    print("| calls a day | rule | earned a week | recommendation earns more by (90 % interval) |\n|---:|---|---:|---:|")
    for calls in CALLS_A_DAY:
        ours = np.array([one[calls]["recommendation"] for one in found])
        print(f"| {calls} | recommendation | {ours.mean():,.0f} | |")
        for rule in RULES[1:]:
            theirs = np.array([one[calls][rule] for one in found])
            low, high = interval(ours - theirs) if seeds > 1 else (np.nan, np.nan)
            print(f"| {calls} | {rule} | {theirs.mean():,.0f} | {(ours - theirs).mean():,.0f} ({low:,.0f} to {high:,.0f}) |")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5, int(sys.argv[2]) if len(sys.argv) > 2 else 2_000)
