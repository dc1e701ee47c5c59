"""The ideal customer profile: how often its intervals hold the true lift, what shrinking buys, and how well the fit tells strangers apart.

Measured on planted groups, whose true rates are known: coverage of the 90 % intervals; root mean square error of ln lift, shrunken and raw. Groups of
fewer than 20 leads are left out: no profile tells them. Then on the sample world: a profile is learned on one world, and tells the leads of another
one apart (AUC: who became a customer within the profile's days), beside the sum of raw ln lifts and a logistic regression on the same values.
Bar: coverage .85-.95 where groups differ (1 where they don't: intervals are then drawn towards the common rate), error below the raw one, AUC not
below the regression's by more than .01 and above that of raw lifts.
Command: `.venv/bin/python benchmarks/bench_icp.py [REPEATS] [SEEDS]`, with 200 and 3 about two minutes.
It would get worse with attributes that matter only together: the profile adds them up.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from data.dataset import read_dataset
from data.funnel import Funnel
from data.sample import write_sample
from features.rows import Cohort
from features.tables import cohort_of
from registry.profile import Profile
from training.icp import Followed, followed, learn_profile
from training.leaks import Studied
from training.metrics import auc
from training.run import study
from training.shrinkage import design_effect, shrunken

Floats = NDArray[np.float64]
LEAST = 20
FIRST_SEED = 501
"""None that anything was fixed on while it was built."""
LEAKS = {"lead.onboarding_package"}


@dataclass(frozen=True)
class Planted:
    """`leads` in `groups` whose ln odds differ by `apart` (standard deviation) around the rate `base`; those of one account, `together` of them,
    share luck of the standard deviation `luck`."""

    groups: int
    leads: int
    base: float
    apart: float
    together: int = 1
    luck: float = 0.0

    def measured(self, seed: int) -> tuple[float, float, float]:
        """(share of the true lifts in their interval, mean squared error of ln lift shrunken, and raw)."""
        rng = np.random.default_rng(seed)
        share = rng.dirichlet(np.ones(self.groups))
        account = np.arange(self.leads) // self.together
        group = rng.choice(self.groups, self.leads // self.together + 1, p=share)[account]
        odds = np.log(self.base / (1 - self.base)) + rng.normal(0, self.apart, self.groups)
        luck = rng.normal(0, self.luck, account.max() + 1) if self.luck else np.zeros(account.max() + 1)
        y = (rng.random(self.leads) < 1 / (1 + np.exp(-odds[group] - luck[account]))).astype(np.int8)
        nodes, weights = np.polynomial.hermite_e.hermegauss(31)
        true = (1 / (1 + np.exp(-(odds[:, None] + self.luck * nodes)))) @ weights / weights.sum()
        there = np.bincount(group, minlength=self.groups).astype(np.float64)
        got, effect = np.bincount(group, y, self.groups), design_effect(y, group, account)
        found = shrunken(got / effect, there / effect, there / there.sum(), 2_000, seed)
        (low, high), lift, told = found.interval(), true / (there / there.sum() @ true), there >= LEAST
        raw = np.maximum(got, 0.5) / np.maximum(there, 1) / max(float(y.mean()), 1e-9)
        error, of_raw = (float(((np.log(of) - np.log(lift)) ** 2)[told].mean()) for of in (found.median, raw))
        return float(((low <= lift) & (lift <= high))[told].mean()), error, of_raw


WORLDS = (
    Planted(8, 2_000, 0.08, 0.0),
    Planted(8, 2_000, 0.08, 0.3),
    Planted(8, 2_000, 0.08, 0.7),
    Planted(20, 2_000, 0.05, 0.4),
    Planted(3, 500, 0.1, 0.5),
    Planted(8, 12_000, 0.05, 0.4),
    Planted(8, 6_000, 0.08, 0.4, together=4, luck=1.0),
)


def coverage(repeats: int) -> None:
    print("| groups | leads | rate | apart | leads an account | coverage | error, shrunken | error, raw |\n|---:|---:|---:|---:|---:|---:|---:|---:|")
    for world in WORLDS:
        held, ours, raw = np.mean([world.measured(seed) for seed in range(FIRST_SEED, FIRST_SEED + repeats)], axis=0)
        told = f"{world.groups} | {world.leads:,} | {world.base} | {world.apart} | {world.together}"
        print(f"| {told} | {held:.3f} | {ours**0.5:.3f} | {raw**0.5:.3f} |", flush=True)


def _studied(leads: int, seed: int) -> Studied:
    with TemporaryDirectory() as folder:
        write_sample(Path(folder) / "world", leads, seed)
        found, _ = study(read_dataset(Path(folder) / "world", funnel=Funnel())[0], Funnel(exclude=tuple(LEAKS)))
    return found


def _codes(profile: Profile, cohort: Cohort, told: Followed) -> tuple[NDArray[np.int64], Floats]:
    """((m, traits) value of each lead, -1 where unknown or never seen; (m,) points of the fit)."""
    codes, points = np.full((told.lead.size, len(profile.traits)), -1), np.zeros(told.lead.size)
    for at, trait in enumerate(profile.traits):
        code, texts = cohort.known.at(trait.column, told.lead, told.as_of)
        parts = [trait.part(text) for text in texts]
        names = {value.name: i for i, value in enumerate(trait.values)}
        codes[:, at] = np.array([-1 if part is None else names.get(part.value, -1) for part in parts])[code]
        points += np.array([0.0 if part is None else part.points for part in parts])[code]
    return codes, points


def strangers(leads: int, seed: int) -> tuple[float, float, float]:
    """AUC on another world of 12,000 leads: of the fit, of raw ln lifts, of a logistic regression."""
    learned, other = _studied(leads, seed), _studied(12_000, seed + 100)
    profile = learn_profile(learned.dataset, learned.schema, learned.cohort, learned.path, (), learned.data_end, 0)
    own, theirs = (_followed(profile, of) for of in (learned, other))
    codes, _ = _codes(profile, learned.cohort, own)
    cohort = cohort_of(other.dataset, learned.schema)
    asked, points = _codes(profile, cohort, theirs)
    raw, logistic = np.zeros(asked.shape[0]), LogisticRegression(C=0.1, max_iter=2_000)
    for at, trait in enumerate(profile.traits):
        lifts = [np.log(max(v.reached, 0.5) / max(v.leads, 1) / (profile.reached / profile.leads)) for v in trait.values]
        raw += np.array([*lifts, 0.0])[asked[:, at]]
    logistic.fit(_one_hot(codes, profile), own.y)
    return tuple(float(auc(theirs.y.astype(np.float64), of)) for of in (points, raw, logistic.decision_function(_one_hot(asked, profile))))


def _followed(profile: Profile, studied: Studied) -> Followed:
    code = studied.schema.stage_code(profile.target or "")
    return followed(studied.cohort.timeline, profile.target or "", code, studied.path[0], studied.data_end)


def _one_hot(codes: NDArray[np.int64], profile: Profile) -> Floats:
    return np.hstack([np.eye(len(trait.values) + 1)[codes[:, at]] for at, trait in enumerate(profile.traits)])


def fits(seeds: int) -> None:
    print("\n| leads | AUC of the fit | of raw lifts | of a logistic regression |\n|---:|---:|---:|---:|")
    for leads in (2_000, 12_000):
        ours, raw, logistic = np.mean([strangers(leads, 201 + seed) for seed in range(seeds)], axis=0)
        print(f"| {leads:,} | {ours:.3f} | {raw:.3f} | {logistic:.3f} |", flush=True)


if __name__ == "__main__":
    coverage(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
    fits(int(sys.argv[2]) if len(sys.argv) > 2 else 3)
