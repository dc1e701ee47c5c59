"""One run of FLAML on rows that bench_automl.py has written; runs in an environment of its own, where FLAML is and leadscore is not.

python automl_rival.py TASK.npz SECONDS OUT.npz
"""

import sys

import flaml
import numpy as np
from flaml import AutoML

TAKE_MISSING = ["lgbm", "xgboost", "xgb_limitdepth", "rf", "extra_tree"]
"""FLAML's learners but its linear one, which refuses rows that lack a value, as most of ours do."""


def main(task: str, seconds: float, out: str) -> None:
    """The task's rows are in order of time, unless `shuffled`: FLAML chooses by forward folds then, as we do."""
    rows = np.load(task)
    tool = AutoML()
    tool.fit(
        X_train=rows["X"],
        y_train=rows["y"],
        task="classification",
        metric="log_loss",
        estimator_list=TAKE_MISSING,
        time_budget=seconds,
        split_type="stratified" if bool(rows["shuffled"]) else "time",
        eval_method="cv",
        n_splits=4,
        n_jobs=1,
        seed=0,
        verbose=0,
    )
    np.savez(out, p=tool.predict_proba(rows["asked"])[:, 1], best=str(tool.best_estimator), version=flaml.__version__)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), sys.argv[3])
