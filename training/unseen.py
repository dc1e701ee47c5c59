"""What a bundle has never seen: landmarks after the end of the data it was trained on, asked of the bundle and, once ripe, with their outcome."""

from collections.abc import Iterator
from dataclasses import dataclass

from features.rows import Cohort
from registry.bundle import Bundle, HopModel, transitions
from registry.models import Floats
from training.choice import Sample
from training.labels import Hop, outcome
from training.landmarks import landmarks
from training.matrix import asked, rows_of


@dataclass(frozen=True)
class Unseen:
    """One hop's landmarks that count, what the bundle says of each (m,), and how many more there are whose horizon is not over."""

    hop: HopModel
    sample: Sample
    p: Floats
    waiting: int


def unseen(bundle: Bundle, cohort: Cohort, since: int, data_end: int) -> Iterator[Unseen]:
    """Every hop of the bundle at the landmarks in (since, data_end], both in micros; `cohort` holds the leads under the bundle's schema. No label
    that the bundle was fitted on looked past `since`, so none of these was known to it."""
    code = bundle.schema.stage_code
    for stage in bundle.path[:-1]:
        hops = bundle.hops_from(stage)
        if not hops:
            continue
        marks = landmarks(cohort.timeline, code(stage), data_end)
        marks = marks.where(marks.as_of > since)
        X = rows_of(bundle.schema, cohort, marks.lead, marks.as_of)
        steps = dict(zip(transitions(bundle.path), bundle.path[1:], strict=True))
        chain: list[Hop] = []
        standing = stage
        for hop in hops:
            chain.append(Hop(code(standing), code(steps[hop.transition]), hop.horizon_days))
            standing = steps[hop.transition]
            labels = outcome(cohort.timeline, chain, marks.lead, marks.as_of, data_end)
            rows = labels.counts
            sample = Sample(X[rows], labels.y[rows], marks.lead[rows], marks.as_of[rows])
            yield Unseen(hop, sample, asked(hop.probability, sample.X), int((~labels.ripe).sum()))
