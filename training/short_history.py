"""What chooses where the horizon is long beside the history: no fold is left whose horizon is over when the next begins."""

from training.choice import Sample
from training.hop import Task
from training.splits import Splits, dealt_folds, forward_splits


def splits_of(sample: Sample, horizon: int, seed: int) -> Splits:
    """Forward folds with an embargo of the `horizon` (micros, all hops' together); where none of them has enough evidence, and what lies before the
    test has, the leads before the test are dealt into folds at random. The test is the same, and nothing that chooses sees it."""
    found = forward_splits(sample.as_of, horizon)
    if _forward(found, sample) or not sample.where(found.test.train).enough:
        return found
    return dealt_folds(found, sample.y, sample.lead, seed)


def _forward(splits: Splits, sample: Sample) -> bool:
    folds = [f for f in splits.folds if f.train.any() and f.validate.any()]
    return len(folds) > 0 and sample.where(folds[-1].train).enough


def short_history(task: Task) -> list[str]:
    """That it was so, in words for people."""
    dealt = len(task.splits.folds) and (task.splits.folds[0].train | task.splits.folds[0].validate)[task.splits.test.train].all()
    if not dealt:
        return []
    return [
        f"the history is too short beside a horizon of {task.horizon_days} days for folds that lie forward in time: the model was chosen on leads "
        "dealt at random, and measured forward in time."
    ]
