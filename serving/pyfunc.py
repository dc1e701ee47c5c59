"""The bundle as an MLflow pyfunc (`loader_module`): finished rows in, the columns of the score file out. No pickle is involved."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data.funnel import Funnel
from registry.bundle import Bundle
from serving.batch import flat
from serving.scorer import Scorer

STAGE = "stage"


class PyfuncModel:
    """What `mlflow.pyfunc.load_model` wraps. The policy is the default one: a registry knows no live funnel.toml."""

    def __init__(self, scorer: Scorer) -> None:
        self.scorer = scorer

    def predict(self, frame: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """`stage` and every column of the schema, as `features.compute` made them -> one row of scores per row, in the same order.

        `params={"reasons": True}` adds the reasons as JSON, else `[]`: explaining costs more than scoring. Raises ValueError naming the
        columns that are missing.
        """
        names = [column.name for column in self.scorer.bundle.schema.columns]
        missing = [name for name in (STAGE, *names) if name not in frame.columns]
        if missing:
            raise ValueError(f"the frame must have the columns {STAGE} and the {len(names)} features of the bundle; missing: {missing[:5]} ...")
        X = frame[names].to_numpy(np.float32)
        stages = frame[STAGE].to_numpy(dtype=object)
        with_reasons = bool((params or {}).get("reasons", False))
        told: list[dict[str, Any]] = [{}] * len(frame)
        for name in sorted(set(map(str, stages))):
            rows, stage = np.flatnonzero(stages == name), self.scorer.funnel.stage_of(name)
            if stage is None:
                known = ", ".join((*self.scorer.bundle.schema.stages, *self.scorer.bundle.schema.exits))
                raise ValueError(f"stage must be one of {known}, or a name that the funnel gives to one of them; got {name!r}.")
            for row, judged in zip(rows, self.scorer.judge(stage, X[rows], with_reasons=with_reasons), strict=True):
                told[row] = flat(judged)
        columns = [*flat_columns(), *(f"probability_{stage}" for stage in self.scorer.bundle.path[1:])]
        scores = pd.DataFrame(told, columns=columns, index=frame.index)
        partly = [name for name in columns if scores[name].isna().any()]
        return scores.assign(**{name: scores[name].astype(object).where(scores[name].notna(), None) for name in partly})  # JSON knows no nan


def flat_columns() -> tuple[str, ...]:
    """The score file's columns that a row decides."""
    return (
        "transition", "horizon_days", "probability", "low", "high", "score", "grade", "action", "recommended_stage", "next_step", "reasons",
    )  # fmt: skip


def _load_pyfunc(path: str) -> PyfuncModel:
    """Called by MLflow with the logged bundle's path."""
    return PyfuncModel(Scorer.of(Bundle.from_bytes(Path(path).read_bytes()), "pyfunc", Funnel()))
