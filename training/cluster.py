"""Rows and trees on a cluster: a worker reads partitions, computes their rows and keeps them; `lightgbm.dask` grows trees where the rows are.

Features are those of one machine to the bit. Trees are not: each worker bins the rows it has (docs/scale.md says how far apart that is).
"""

import logging
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from data.cluster import Cluster
from data.contract import DataError
from data.partitions import read_partition
from features.rows import Cohort, Rows, compute_in_blocks
from features.schema import Schema
from features.tables import cohort_of, positions
from features.timeline import Ints
from registry.models import Boosted, Floats
from training.candidates import MAX_TREES, PATIENCE, TREE_PARAMETERS, Curve, Labels, TreeShape, TreeSize
from training.matrix import BLOCK, AnyRows, Matrix, blocks, useful_columns, written

ATTEMPTS = 4
"""How often trees are begun anew when a worker dies while they grow."""
MINUTES_TO_MEET = 2
"""How long LightGBM's processes wait for each other."""
_LOOKED_AT = 8_192
"""Rows whose loss after every tree is in memory at once."""
_LOCAL = ("num_threads", "force_col_wise")
_SECONDS_BETWEEN_LOOKS = 0.5
_SILENT = logging.Logger("leadscore.lightgbm", logging.CRITICAL)


@dataclass(frozen=True)
class _Leads:
    """One schema's cohorts as they lie on the workers, one for each partition, and the partition of each lead (n,) and its place in that (n,)."""

    cohorts: tuple[Any, ...]
    part: Ints
    place: Ints


class ClusterRows:
    """`training.matrix.RowsOf` on a cluster: the rows of a spine, computed and kept where the partitions were read, and a copy in a file here."""

    def __init__(self, cluster: Cluster, folders: Sequence[Path]) -> None:
        """`folders` as `data.partitions` makes them, under a path that every worker sees."""
        self._cluster = cluster
        self._folders = [str(folder.resolve()) for folder in folders]
        self._leads: dict[str, _Leads] = {}

    def __call__(self, schema: Schema, cohort: Cohort, lead: Ints, as_of: Ints) -> Matrix:
        leads = self._leads_of(schema, cohort)
        order = np.argsort(leads.part[lead], kind="stable")
        start = np.searchsorted(leads.part[lead][order], np.arange(len(self._folders) + 1)).astype(np.int64)
        document, client = schema.document(), self._cluster.client
        futures = []
        for number, held in enumerate(leads.cohorts):
            mine = order[start[number] : start[number + 1]]
            futures.append(client.submit(_rows, document, held, leads.place[lead[mine]].astype(np.int32), as_of[mine], pure=False))
        parts = Parts(self._cluster, tuple(futures), start)
        here = written(len(schema.columns), (self._cluster.taken(future) for future in futures))
        place = np.empty(lead.size, np.int64)
        place[order] = np.arange(lead.size)
        return Matrix(replace(here.held, grower=parts.grower), place)

    def _leads_of(self, schema: Schema, cohort: Cohort) -> _Leads:
        found = self._leads.get(schema.hash)
        if found is None:
            self._leads.clear()  # what was found before leaks were left out is asked no more
            client = self._cluster.client
            cohorts = tuple(client.submit(_cohort, folder, schema.document(), pure=False) for folder in self._folders)
            asked = [client.submit(_ids, held, pure=False) for held in cohorts]
            ids = [self._cluster.taken(future) for future in asked]
            found = self._leads[schema.hash] = _placed(cohorts, ids, cohort)
        return found


def _placed(cohorts: tuple[Any, ...], ids: Sequence[Sequence[str]], cohort: Cohort) -> _Leads:
    """DataError where the partitions hold other leads than the dataset, as after a change of its files."""
    every = pa.chunked_array([pa.array(cohort.lead_ids, pa.string())])
    part, place = np.full(len(cohort.lead_ids), -1, np.int64), np.zeros(len(cohort.lead_ids), np.int64)
    for number, names in enumerate(ids):
        at = positions(pa.chunked_array([pa.array(names, pa.string())]), every)
        part[at], place[at] = number, np.arange(len(names))
    if (part < 0).any() or sum(map(len, ids)) != part.size:
        raise DataError("the dataset changed while it was being read: its partitions hold other leads than its tables. Run the command again.")
    return _Leads(cohorts, part, place)


def _cohort(folder: str, document: Mapping[str, Any]) -> Cohort:
    return cohort_of(read_partition(folder), Schema.from_document(document))


def _ids(cohort: Cohort) -> list[str]:
    return list(cohort.lead_ids)


def _rows(document: Mapping[str, Any], cohort: Cohort, lead: NDArray[np.int32], as_of: Ints) -> Rows:
    schema = Schema.from_document(document)
    found = np.empty((lead.size, len(schema.columns)), np.float32)
    blocks_of = compute_in_blocks(schema, cohort, lead.astype(np.int64), as_of, BLOCK)
    for begin, block in zip(range(0, lead.size, BLOCK), blocks_of, strict=True):
        found[begin : begin + BLOCK] = block
    return found


def _chosen(rows: Rows, picked: NDArray[np.int32], columns: NDArray[np.int64]) -> Rows:
    return np.ascontiguousarray(rows[picked][:, columns])


@dataclass(frozen=True)
class Parts:
    """The rows of a file as they lie on the workers: `rows` are futures of arrays, one below the other, `start` (k + 1,) says where each begins."""

    cluster: Cluster
    rows: tuple[Any, ...]
    start: Ints

    def grower(self, X: Matrix, y: Labels, seed: int) -> "ClusterGrower":
        """What grows trees on a part of these rows."""
        return ClusterGrower(self, X, y, seed)


class ClusterGrower:
    """`training.candidates.TreeGrower` on a cluster."""

    def __init__(self, parts: Parts, X: Matrix, y: Labels, seed: int) -> None:
        self.columns = useful_columns(X)
        self.width = X.shape[1]
        self._parts, self._y, self._seed = parts, y, seed
        index = np.arange(len(X), dtype=np.int64) if X.index is None else X.index
        of = np.searchsorted(parts.start, index, "right") - 1
        self._mine = [(number, rows) for number in range(len(parts.rows)) if (rows := np.flatnonzero(of == number)).size]
        self._picked = {number: (index[rows] - parts.start[number]).astype(np.int32) for number, rows in self._mine}

    def grow(self, weight: Floats, size: TreeSize, offset: int = 0) -> Boosted:
        """`weight` (m,): lead-bootstrap counts or ones."""
        return Boosted.from_text(self._grown(weight, size, offset), [int(c) for c in self.columns], self.width)

    def curve(self, X: AnyRows, y: Labels, shape: TreeShape) -> Curve:
        """MAX_TREES of a shape on all rows and their log loss on others, up to where growing would have stopped on one machine."""
        booster = lightgbm.Booster(model_str=self._grown(np.ones(self._y.size), TreeSize(MAX_TREES, shape=shape), 0))
        losses = _losses(booster, X, self.columns, y)
        return Curve(booster, self.columns, losses[: _stop(losses)])

    def _grown(self, weight: Floats, size: TreeSize, offset: int) -> str:
        """LightGBM's text of the trees, without the parameters that it ends with: addresses are nothing that a bundle should hold."""
        parameters = {name: value for name, value in (TREE_PARAMETERS | size.shape.parameters(self._y.size)).items() if name not in _LOCAL}
        own = {"learning_rate": size.learning_rate, "seed": self._seed + offset, "n_estimators": size.trees, "time_out": MINUTES_TO_MEET}
        for attempt in range(ATTEMPTS):
            try:
                return self._fitted(parameters | own, weight)
            except Exception as error:  # noqa: BLE001 - a dead worker shows as any of a dozen errors of three libraries
                if attempt == ATTEMPTS - 1:
                    raise DataError(
                        f"the trees could not be grown on the cluster at {self._parts.cluster.url} in {ATTEMPTS} attempts "
                        f"({type(error).__name__}: {error}). See whether its workers stay alive and may connect to each other."
                    ) from None
                self._parts.cluster.require_worker()
        raise AssertionError("the last attempt returns or raises")

    def _fitted(self, parameters: Mapping[str, Any], weight: Floats) -> str:
        from lightgbm.dask import DaskLGBMRegressor  # of the objective `binary`: the labels are taken as they are, on whichever worker

        lightgbm.register_logger(_SILENT)  # standard output is not for what LightGBM tells of ports
        client = self._parts.cluster.client
        X, y, w = self._collections(weight)
        with client.as_current(), warnings.catch_warnings(), _watched(client):
            warnings.simplefilter("ignore")  # of LightGBM, that it takes the number of threads from the worker: as it should
            model = DaskLGBMRegressor(client=client, **parameters).fit(X, y, sample_weight=w, feature_name=[f"f{i}" for i in self.columns])
        text: str = model.booster_.model_to_string()
        trees, _, _ = text.partition("\nparameters:")
        return f"{trees}\n"

    def _collections(self, weight: Floats) -> tuple[Any, Any, Any]:
        """Rows, labels and weights as Dask's arrays, a chunk for each partition."""
        import dask.array
        from dask.delayed import delayed

        array: Any = dask.array
        found: tuple[list[Any], list[Any], list[Any]] = ([], [], [])
        for number, rows in self._mine:
            chosen = delayed(_chosen, pure=False)(self._parts.rows[number], self._picked[number], self.columns)
            found[0].append(array.from_delayed(chosen, (rows.size, self.columns.size), np.float32))
            for kept, values in ((found[1], self._y[rows]), (found[2], weight[rows])):
                kept.append(array.from_delayed(delayed(values.astype(np.float32)), (rows.size,), np.float32))
        return array.concatenate(found[0]), array.concatenate(found[1]), array.concatenate(found[2])


def _losses(booster: Any, X: AnyRows, columns: NDArray[np.int64], y: Labels) -> Floats:
    """Mean log loss (trees,) of the first tree, of the first two, and so on."""
    trees = booster.num_trees()
    leaves = [[booster.get_leaf_output(tree, leaf) for leaf in range(count)] for tree, count in enumerate(_leaf_counts(booster))]
    value = np.zeros((trees, max(map(len, leaves), default=1)))
    for tree, held in enumerate(leaves):
        value[tree, : len(held)] = held
    total, at = np.zeros(trees), 0
    for block in blocks(X, _LOOKED_AT):
        leaf = booster.predict(block[:, columns], pred_leaf=True).reshape(len(block), trees)
        raw = np.cumsum(value[np.arange(trees), leaf], axis=1)
        side = np.where(y[at : at + len(block)] == 1, -1.0, 1.0)[:, None]
        total += np.logaddexp(0.0, side * raw).sum(axis=0)
        at += len(block)
    return total / max(at, 1)


def _leaf_counts(booster: Any) -> list[int]:
    return [int(tree["num_leaves"]) for tree in booster.dump_model()["tree_info"]]


def _stop(losses: Floats) -> int:
    """How many trees there are when PATIENCE of them in a row have not helped."""
    best = 0
    for at in range(losses.size):
        best = at if losses[at] < losses[best] else best
        if at - best >= PATIENCE:
            return at + 1
    return int(losses.size)


@contextmanager
def _watched(client: Any) -> Iterator[None]:
    """Within, the parts of a fit are called off as soon as a worker is gone: LightGBM's other processes would wait for it, some of them for ever."""
    over, there = threading.Event(), set(client.nthreads())

    def look() -> None:
        while not over.wait(_SECONDS_BETWEEN_LOOKS):
            with suppress(OSError, TimeoutError):
                if not there <= set(client.nthreads()):
                    _call_off(client)
                    return

    watching = threading.Thread(target=look, daemon=True)
    watching.start()
    try:
        yield
    finally:
        over.set()
        watching.join()


def _call_off(client: Any) -> None:
    from distributed import Future

    fits: list[Any] = [Future(key, client) for key in list(client.futures) if "_train_part" in str(key)]
    client.cancel(fits, force=True)
