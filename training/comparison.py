"""Champion against challenger on landmarks that neither has seen, and whether the challenger is to serve.

What is asked is what the challenger's forward twin was tested on. The champion's answers there are those of its own forward twin, where that was
tested on the same landmark, or, after the end of the data it was trained on, those of its bundle as it serves.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from scipy.stats import norm

from data.arrow import pc
from data.contract import parse_instant
from data.dataset import Dataset
from data.funnel import Drift
from features.rows import Cohort
from features.tables import cohort_of
from features.timeline import Ints
from registry.bundle import OUTCOME, Bundle
from registry.models import Floats
from training.bootstrap import difference_noise
from training.calibration import fit
from training.matrix import asked, rows_of
from training.metrics import row_losses
from training.pseudonyms import pseudonyms
from training.recalibration import Recalibration, recalibrate

KEYS = ["lead_id", "as_of", "stage", "transition"]
MIN_SHARED = 200
"""Fewer landmarks that neither has seen are no comparison."""
BEYOND_NOISE = 0.05
"""Chance that a challenger no better than the champion is called better; or one no worse called worse at any of its hops."""
_TINY = 1e-9


@dataclass(frozen=True)
class Contender:
    """A version: its bundle and what its forward twin said on its test (`training.run.Trained.forward`)."""

    version: str
    bundle: Bundle
    forward: pa.Table


@dataclass(frozen=True)
class Decision:
    """Whether the challenger is to serve, and the reasons in words."""

    promote: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Shared:
    """One hop's landmarks that neither has seen: outcome, whose it is, what the challenger and the champion said. Where their horizons differ both
    are put on the challenger's by a fitted line, so that what counts is how well they tell leads apart; their calibration is then not compared."""

    stage: str
    transition: str
    y: Floats
    lead: Ints
    ours: Floats
    theirs: Floats
    same_horizon: bool

    @property
    def losses(self) -> tuple[Floats, Floats]:
        """Log loss of each row: the challenger's, the champion's."""
        if self.same_horizon:
            return row_losses(self.y, self.ours), row_losses(self.y, self.theirs)
        ours, theirs = (row_losses(self.y, _lined(p, self.y)) for p in (self.ours, self.theirs))
        return ours, theirs

    @property
    def name(self) -> str:
        direct = self.transition == OUTCOME or self.transition.startswith(f"{self.stage}->")
        return self.transition if direct else f"{self.transition} from {self.stage}"


def decide(ours: Contender, theirs: Contender | None, read: Dataset | None, limits: Drift) -> Decision:
    """`ours` is the challenger; `theirs` the champion, None where nothing serves yet; `read` the data that the challenger was trained on (None for a
    flat file): with it the champion's bundle is asked about what came after its own."""
    if theirs is None:
        return Decision(True, ("nothing served before it.",))
    apart = _not_comparable(ours.bundle, theirs)
    if apart is not None:
        return Decision(False, (apart,))
    shared = list(_shared(ours.forward, _answers(ours, theirs, read)))
    rows = sum(hop.y.size for hop in shared)
    if rows < MIN_SHARED:
        why = f"only {rows} landmarks are there that neither it nor champion {theirs.version} has seen; {MIN_SHARED} are needed to compare"
        return Decision(False, (f"{why}. Look at both with `leadscore models`, then promote it by hand if you want it.",))
    return _compared(shared, theirs.version, limits)


def _not_comparable(bundle: Bundle, theirs: Contender) -> str | None:
    """Why the two don't answer the same questions, in words; None where they do, or where the challenger answers more."""
    by_hand = "Promote it by hand if that is what you want."
    flat = [b.path[-1] == OUTCOME for b in (bundle, theirs.bundle)]
    if flat[0] != flat[1]:
        told = {True: "of a flat file with one outcome", False: "of a funnel"}
        return f"it is a model {told[flat[0]]}, champion {theirs.version} one {told[flat[1]]}: they answer different questions. {by_hand}"
    if flat[0]:
        return _other_rows(bundle, theirs.bundle, f"champion {theirs.version}", by_hand)
    lost = {h.transition for h in theirs.bundle.hops} - {h.transition for h in bundle.hops}
    if lost:
        return f"champion {theirs.version} answers {', '.join(sorted(lost))}, for which this training found too little evidence. {by_hand}"
    return None


def _other_rows(bundle: Bundle, other: Bundle, champion: str, by_hand: str) -> str | None:
    """Why two flat files can't be put side by side row by row; None where they can."""
    ours, theirs = bundle.about["flat"], other.about["flat"]
    if ours["outcome"] != theirs["outcome"]:
        return f"its outcome is {ours['outcome']!r}, that of {champion} {theirs['outcome']!r}: they answer different questions. {by_hand}"
    if bundle.about["data_digest"] == other.about["data_digest"]:
        return None
    if ours["id"] is None or ours["id"] != theirs["id"]:
        return (
            f"its file and that of {champion} have no id in common, so nobody can say which rows are of the same lead: they can't be compared. "
            f"Name a column that stays with the lead with --id in both. {by_hand}"
        )
    return None


def _answers(ours: Contender, theirs: Contender, read: Dataset | None) -> pa.Table:
    """The champion's answers: KEYS, horizon_days and probability."""
    columns = [*KEYS, "horizon_days", "probability"]
    twin = theirs.forward.select(columns)
    if read is None:
        return twin
    later = ours.forward.filter(pc.greater(ours.forward["as_of"], parse_instant(str(theirs.bundle.about["data_end"]))))
    if not later.num_rows:
        return twin
    asked = list(_asked(theirs.bundle, cohort_of(read, theirs.bundle.schema), later))
    return pa.concat_tables([twin, *(table.select(columns).cast(twin.schema) for table in asked)])


def _asked(bundle: Bundle, cohort: Cohort, rows: pa.Table) -> Iterator[pa.Table]:
    """What the bundle says of these landmarks, hop by hop."""
    index = pseudonyms(cohort.lead_ids)
    for hop in bundle.hops:
        mine = rows.filter(pc.and_(pc.equal(rows["stage"], hop.stage), pc.equal(rows["transition"], hop.transition)))
        lead = np.asarray(pc.index_in(mine["lead_id"], value_set=index), np.int64)
        X = rows_of(bundle.schema, cohort, lead, np.asarray(mine["as_of"], np.int64))
        told = {"horizon_days": np.full(lead.size, hop.horizon_days, np.int64), "probability": asked(hop.probability, X)}
        yield pa.table({name: mine[name] for name in KEYS} | {name: pa.array(values) for name, values in told.items()})


def _shared(ours: pa.Table, theirs: pa.Table) -> Iterator[Shared]:
    both = ours.select([*KEYS, "horizon_days", "y", "probability"]).join(theirs, KEYS, right_suffix="_champion", join_type="inner")
    both = both.sort_by([(key, "ascending") for key in KEYS])
    lead = np.unique(np.asarray(both["lead_id"], dtype=str), return_inverse=True)[1]
    hops = np.array([f"{s}\0{t}" for s, t in zip(both["stage"].to_pylist(), both["transition"].to_pylist(), strict=True)], dtype=object)
    columns = {
        name: np.asarray(both[name], np.float64) for name in ("y", "probability", "probability_champion", "horizon_days", "horizon_days_champion")
    }
    for hop in dict.fromkeys(hops.tolist()):
        mine = hops == hop
        y, p, q, days, other = (values[mine] for values in columns.values())
        stage, transition = hop.split("\0")
        yield Shared(stage, transition, y, lead[mine], p, q, bool((days == other).all()))


def _lined(p: Floats, y: Floats) -> Floats:
    p = np.clip(p, _TINY, 1 - _TINY)
    raw = np.log(p / (1 - p))
    return 1 / (1 + np.exp(-np.asarray(fit("sigmoid", raw, y).logit(raw))))


@dataclass(frozen=True)
class _Verdict:
    better: float
    noise: float
    among: int = 1

    @property
    def _least(self) -> float:
        return float(norm.isf(BEYOND_NOISE / self.among)) * self.noise

    @property
    def beyond(self) -> bool:
        return self.better > self._least > 0

    @property
    def worse(self) -> bool:
        return self.better < -self._least


def _compared(shared: Sequence[Shared], champion: str, limits: Drift) -> Decision:
    losses = [hop.losses for hop in shared]
    ours, theirs = (np.concatenate(side) for side in zip(*losses, strict=True))
    whole = _Verdict(*difference_noise(theirs, ours, np.concatenate([hop.lead for hop in shared])))
    hops = {hop.name: _Verdict(*difference_noise(q, p, hop.lead), len(shared)) for hop, (p, q) in zip(shared, losses, strict=True)}
    worse = [name for name, one in hops.items() if one.worse]
    mended, broken = _calibrations(shared, limits)
    told = (
        f"log loss {ours.mean():.5f} against {theirs.mean():.5f} of champion {champion} on {ours.size:,} test landmarks that neither had seen, "
        f"better by {whole.better:.5f} +- {whole.noise:.5f}"
    )
    promote, why = _decided(whole, worse, mended, champion)
    each = tuple(f"{name}: better by {one.better:.5f} +- {one.noise:.5f}." for name, one in hops.items() if len(hops) > 1)
    return Decision(promote, (f"{told}: {why}", *each, *_horizons(shared), *mended.values(), *broken.values()))


def _decided(whole: _Verdict, worse: Sequence[str], mended: Mapping[str, str], champion: str) -> tuple[bool, str]:
    stays = f"so champion {champion} stays."
    if worse:
        return False, f"worse beyond noise at {', '.join(worse)}, {stays}"
    if whole.beyond:
        return True, "beyond noise."
    if mended and not whole.worse:
        return True, f"not better beyond noise, but the champion's probabilities don't come true at {', '.join(mended)}, and its own do."
    return False, f"not better beyond noise, {stays}"


def _calibrations(shared: Sequence[Shared], limits: Drift) -> tuple[dict[str, str], dict[str, str]]:
    """By hop: where the champion's probabilities don't come true and the challenger's do, and where it is the other way round; in words."""
    mended: dict[str, str] = {}
    broken: dict[str, str] = {}
    for hop in shared:
        if not hop.same_horizon:
            continue
        ours, theirs = (recalibrate(hop.y, p, hop.lead) for p in (hop.ours, hop.theirs))
        if ours is None or theirs is None or ours.off(limits.p_value) == theirs.off(limits.p_value):
            continue
        told = f"calibration at {hop.name}: {_line(ours)}, the champion's {_line(theirs)}."
        (mended if theirs.off(limits.p_value) else broken)[hop.name] = told
    return mended, broken


def _line(one: Recalibration) -> str:
    return f"slope {one.slope:.2f}, intercept {one.intercept:+.2f}, error {one.ece:.3f} (a perfect model: up to {one.ece_of_perfect:.3f})"


def _horizons(shared: Sequence[Shared]) -> Iterator[str]:
    other = sorted({hop.transition for hop in shared if not hop.same_horizon})
    if other:
        yield f"its horizon is another one for {', '.join(other)}: what was compared there is how well both tell leads apart."
