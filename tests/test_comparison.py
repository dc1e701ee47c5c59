"""Promotion of planted contenders: the better is promoted, the worse and the equal are not, a champion whose chances don't come true is replaced."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from bundles import bundle
from data.contract import DAY
from data.funnel import Drift
from registry.bundle import FLAT_PATH, OUTCOME, Bundle
from training.comparison import MIN_SHARED, Contender, Decision, decide

LIMITS = Drift()
HOPS = (("lead", "lead->prospect"), ("lead", "prospect->opportunity"), ("prospect", "prospect->opportunity"))


def contender(
    version: str, leads: int = 600, seed: int = 0, noise: float = 0.0, slope: float = 1.0, days: int = 28, hops: Sequence[tuple[str, str]] = HOPS,
    made: Bundle | None = None, first: int = 0,
) -> Contender:  # fmt: skip
    """What a twin said of leads, three Mondays each, whose chances are planted: the truth blurred by `noise` and stretched by `slope` in log-odds.
    Contenders of one seed have the same outcomes; `first` is the number of the first lead."""
    rng, said = np.random.default_rng(seed), np.random.default_rng(int(1_000 * noise) + seed + 1)
    tables = []
    for stage, transition in hops:
        lead = np.repeat(np.arange(leads), 3)
        truth = -1.0 + 1.2 * rng.normal(size=leads)[lead]
        y = rng.random(leads)[lead] < 1 / (1 + np.exp(-truth))
        told = slope * (truth + noise * said.normal(size=lead.size))
        tables.append(
            pa.table(
                {
                    "lead_id": [f"L-{first + i}" for i in lead],
                    "as_of": np.tile(np.arange(3), leads) * 7 * DAY,
                    "stage": [stage] * lead.size,
                    "transition": [transition] * lead.size,
                    "horizon_days": np.full(lead.size, days),
                    "y": y.astype(np.int8),
                    "probability": 1 / (1 + np.exp(-told)),
                }
            )
        )
    return Contender(version, made or bundle(), pa.concat_tables(tables))


def decided(ours: Contender, theirs: Contender | None) -> Decision:
    return decide(ours, theirs, None, LIMITS)


def test_the_first_one_serves() -> None:
    assert decided(contender("1"), None) == Decision(True, ("nothing served before it.",))


def test_a_better_challenger_is_promoted_and_told_why() -> None:
    found = decided(contender("2"), contender("1", noise=1.0))
    assert found.promote
    assert found.reasons[0].startswith("log loss 0.")
    assert "of champion 1 on 5,400 test landmarks that neither had seen, better by 0." in found.reasons[0]
    assert found.reasons[0].endswith("beyond noise.")
    assert [reason.split(":")[0] for reason in found.reasons[1:4]] == ["lead->prospect", "prospect->opportunity from lead", "prospect->opportunity"]


def test_a_worse_challenger_is_not() -> None:
    found = decided(contender("2", noise=1.0), contender("1"))
    assert not found.promote
    assert "worse beyond noise at lead->prospect" in found.reasons[0]
    assert found.reasons[0].endswith("so champion 1 stays.")


def test_the_same_again_is_not_better() -> None:
    found = decided(contender("2"), contender("1"))
    assert not found.promote
    assert "better by 0.00000 +- 0.00000: not better beyond noise, so champion 1 stays." in found.reasons[0]


def test_an_equal_challenger_is_promoted_as_seldom_as_the_level_says() -> None:
    """Two that are as good as each other, and differ by chance alone."""
    found = [decided(contender("2", 250, seed, noise=0.5), contender("1", 250, seed, noise=0.501)) for seed in range(80)]
    assert sum(one.promote for one in found) <= 9


def test_better_on_the_whole_and_worse_at_one_transition_is_not_promoted() -> None:
    ours, theirs = contender("2"), contender("1", noise=1.5)
    spoiled, good = contender("2", noise=1.5), contender("1")
    last = HOPS[2][0]
    mixed = [one.forward.filter(pa.array([stage == last for stage in one.forward["stage"].to_pylist()])) for one in (spoiled, good)]
    rest = [one.forward.filter(pa.array([stage != last for stage in one.forward["stage"].to_pylist()])) for one in (ours, theirs)]
    found = decided(replace(ours, forward=pa.concat_tables([rest[0], mixed[0]])), replace(theirs, forward=pa.concat_tables([rest[1], mixed[1]])))
    assert not found.promote
    assert "better by 0.0" in found.reasons[0]
    assert "worse beyond noise at prospect->opportunity, so champion 1 stays" in found.reasons[0]


def test_a_champion_whose_probabilities_do_not_come_true_is_replaced_by_one_whose_do() -> None:
    """Its log loss is a little better, as it knows more, so that only its calibration speaks against it."""
    found = [decided(contender("2", 600, seed, noise=0.42), contender("1", 600, seed, slope=1.45)) for seed in range(4)]
    assert all(one.promote for one in found)
    assert any("not better beyond noise, but the champion's probabilities don't come true at" in one.reasons[0] for one in found)
    assert any(reason.startswith("calibration at ") for one in found for reason in one.reasons)


def test_a_champion_that_is_badly_calibrated_stays_where_the_challenger_is_no_better_in_that() -> None:
    found = decided(contender("2", slope=1.6), contender("1", slope=1.6))
    assert not found.promote


@pytest.mark.parametrize(("leads", "told"), [(MIN_SHARED // 3, True), (MIN_SHARED // 3 + 1, False)])
def test_too_few_shared_landmarks_are_no_comparison(leads: int, told: bool) -> None:
    one = HOPS[:1]
    ours = contender("2", leads + 50, hops=one)
    theirs = replace(
        contender("1", leads + 50, hops=one, noise=1.0), forward=contender("1", leads + 50, hops=one, noise=1.0).forward.slice(0, 3 * leads)
    )
    found = decided(ours, theirs)
    assert ("are needed to compare" in found.reasons[0]) is told
    if told:
        assert not found.promote
        assert f"only {3 * leads} landmarks are there that neither it nor champion 1 has seen" in found.reasons[0]


def test_other_leads_are_nothing_to_compare_on() -> None:
    found = decided(contender("2"), contender("1", first=10_000))
    assert not found.promote
    assert found.reasons[0].startswith("only 0 landmarks")


@pytest.mark.parametrize(("noise", "promoted"), [((0.0, 1.2), True), ((1.2, 0.0), False)])
def test_another_horizon_is_compared_by_how_well_leads_are_told_apart(noise: tuple[float, float], promoted: bool) -> None:
    """The champion speaks of 14 days, so all its chances are lower: that alone is not held against it."""
    ours, theirs = contender("2", noise=noise[0]), contender("1", noise=noise[1], days=14)
    lower = np.asarray(theirs.forward["probability"]) * 0.5
    theirs = replace(theirs, forward=theirs.forward.set_column(theirs.forward.column_names.index("probability"), "probability", pa.array(lower)))
    found = decided(ours, theirs)
    assert found.promote is promoted
    assert any("its horizon is another one for lead->prospect, prospect->opportunity" in reason for reason in found.reasons)


def test_a_horizon_alone_is_no_reason_to_change() -> None:
    theirs = contender("1", days=14)
    lower = np.asarray(theirs.forward["probability"]) * 0.5
    theirs = replace(theirs, forward=theirs.forward.set_column(theirs.forward.column_names.index("probability"), "probability", pa.array(lower)))
    assert not decided(contender("2", noise=0.4), theirs).promote


def flat(**told: Any) -> Bundle:
    made = bundle()
    return replace(made, path=FLAT_PATH, hops=(replace(made.hops[0], transition=OUTCOME, horizon_days=0),), **told)


def test_a_flat_file_and_a_funnel_are_not_compared() -> None:
    for ours, theirs, told in (
        (flat(), bundle(), "flat file with one outcome, champion 1 one of a funnel"),
        (bundle(), flat(), "of a funnel, champion 1 one of a"),
    ):
        found = decided(contender("2", made=ours), contender("1", made=theirs))
        assert not found.promote
        assert told in found.reasons[0]
        assert "they answer different questions" in found.reasons[0]


def of_file(digest: str, id: str | None = "Lead Number", outcome: str = "Converted") -> Bundle:
    columns = {"outcome": outcome, "id": id, "group": None, "ordered": False}
    return flat(about={"flat": columns, "data_digest": digest, "data_end": None})


def test_two_flat_files_are_compared_by_their_leads_and_not_by_the_numbers_of_their_rows() -> None:
    hops = (("lead", OUTCOME),)

    def between(ours: Bundle, theirs: Bundle) -> Decision:
        return decided(contender("2", hops=hops, made=ours), contender("1", noise=2.0, hops=hops, made=theirs))

    assert between(of_file("a"), of_file("b")).promote, "an id tells which rows are of the same lead"
    assert between(of_file("a", id=None), of_file("a", id=None)).promote, "so does the very same file"
    for ours, theirs in ((None, None), (None, "Lead Number"), ("Lead Number", None), ("Lead Number", "Contact")):
        found = between(of_file("a", id=ours), of_file("b", id=theirs))
        assert not found.promote
        assert "have no id in common" in found.reasons[0]
    assert "its outcome is 'Converted', that of champion 1 'Met'" in between(of_file("a"), of_file("a", outcome="Met")).reasons[0]


def test_a_challenger_that_lost_a_transition_is_not_promoted() -> None:
    made = bundle()
    found = decided(contender("2", made=replace(made, hops=made.hops[:1])), contender("1", noise=2.0))
    assert not found.promote
    assert "champion 1 answers prospect->opportunity, for which this training found too little evidence" in found.reasons[0]
    assert decided(contender("2"), contender("1", noise=2.0, made=replace(made, hops=made.hops[:1]))).promote, "one that answers more may serve"
