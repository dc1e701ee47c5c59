"""On a cluster: the same rows and scores to the bit, trees within the noise of their binning, and nothing lost when a worker is killed."""

import io
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from bundles import bundle, promote
from clusters import Processes, cluster_processes
from data import cluster as clusters
from data.cluster import Cluster, connected
from data.contract import DAY, DataError
from data.dataset import Dataset
from data.funnel import Funnel
from data.partitions import partitions_of
from data.store import open_store
from data.workers import Each, in_turn
from features.discovery import discover
from features.rows import Cohort
from features.schema import Schema
from features.tables import cohort_of
from house import PACKAGES, ROOT
from registry.models import Floats
from serving.commands import score, score_folder
from serving.scorer import Scorer
from serving.scoring_progress import steps
from serving.scoring_run import workplace
from training import candidates
from training.candidates import MAX_TREES, PATIENCE, TreeGrower, TreeShape, TreeSize, grower_of
from training.cluster import ClusterGrower, ClusterRows, _stop
from training.labels import Hop, outcome
from training.landmarks import landmarks
from training.matrix import rows_of
from worlds import at_home, sampled

LEADS, PARTS = 300, 4
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    with cluster_processes(tmp_path_factory.mktemp("workers")) as made:
        yield made


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shared")


@pytest.fixture
def cluster(processes: Processes, shared: Path) -> Iterator[Cluster]:
    """With as many workers as ever, whatever a test did to them."""
    while len(processes.workers) < 2:
        processes.start_worker()
    with connected(processes.url, shared) as made:
        made.client.wait_for_workers(2)
        yield made


@dataclass(frozen=True)
class Made:
    """A sample world: its folder, its leads under the schema that is found in it, its partitions, and a home with a champion that scores it."""

    folder: Path
    dataset: Dataset
    schema: Schema
    cohort: Cohort
    partitions: tuple[Path, ...]
    home: Path


@pytest.fixture(scope="module")
def world(shared: Path) -> Made:
    dataset = sampled(shared / "world", LEADS, 5)
    schema, _ = discover(dataset, Funnel())
    with at_home(shared / "home"), open_store() as store:
        promote(store, "1", bundle())
    parts = partitions_of(shared / "world", None, Funnel(), shared / "parts", PARTS)
    return Made(shared / "world", dataset, schema, cohort_of(dataset, schema), parts.folders, shared / "home")


class Learnable:
    """The landmarks of leads in the sample world, their rows here and on the cluster, and who converted within four weeks."""

    def __init__(self, world: Made, rows: ClusterRows) -> None:
        end = world.dataset.data_end
        marks = landmarks(world.cohort.timeline, 0, end - 28 * DAY)
        spine = (world.schema, world.cohort, marks.lead, marks.as_of)
        self.here, self.there = rows_of(*spine), rows(*spine)
        self.y = outcome(world.cohort.timeline, [Hop(0, 1, 28)], marks.lead, marks.as_of, end).y
        self.train = marks.lead % 3 != 0

    def loss(self, raw: Floats) -> float:
        return float(np.logaddexp(0.0, np.where(self.y[~self.train] == 1, -1.0, 1.0) * raw).mean())


@pytest.fixture
def learnable(world: Made, cluster: Cluster) -> Learnable:
    return Learnable(world, ClusterRows(cluster, world.partitions))


def test_rows_are_those_of_one_machine_to_the_bit(learnable: Learnable) -> None:
    here, there = np.asarray(learnable.here), np.asarray(learnable.there)
    assert here.shape[0] > 1_000
    assert here.tobytes() == there.tobytes()
    assert np.asarray(learnable.there[learnable.train]).tobytes() == here[learnable.train].tobytes()


def scored(world: Made, out: Path, each: Each) -> bytes:
    with workplace(out) as place, steps(Console(file=io.StringIO())) as tell:
        made = score_folder(Scorer.of(bundle(), "1", Funnel()), Funnel(), world.folder, None, out, None, place, each, tell, PARTS)
    assert made.rows > 20
    return out.read_bytes()


def test_scores_are_those_of_one_machine_to_the_byte(world: Made, processes: Processes, cluster: Cluster, tmp_path: Path) -> None:
    assert scored(world, tmp_path / "there.csv", cluster.each) == scored(world, tmp_path / "here.csv", in_turn)
    with at_home(world.home):
        assert score(str(world.folder), None, None, str(tmp_path / "again.csv"), None, None, processes.url) == 0
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "here.csv").read_bytes()
    assert cluster.threads == 2


def test_a_worker_killed_halfway_loses_no_score_and_doubles_none(world: Made, processes: Processes, cluster: Cluster, tmp_path: Path) -> None:
    """Killed as soon as the first partition is scored."""
    killed = threading.Event()

    def kill() -> None:
        while not any(tmp_path.rglob("*.arrow")):
            time.sleep(0.002)
        processes.kill_worker()
        killed.set()

    threading.Thread(target=kill, daemon=True).start()
    there = scored(world, tmp_path / "there.csv", cluster.each)
    assert killed.wait(60)
    assert there == scored(world, tmp_path / "here.csv", in_turn)


def test_what_each_task_gives_comes_once_and_in_order_though_a_worker_dies(processes: Processes, cluster: Cluster) -> None:
    found = []
    for number in cluster.each(abs, range(0, -40, -1)):
        found.append(number)
        if number == 3:
            processes.kill_worker()
    assert found == list(range(40))


def test_trees_say_what_those_of_one_machine_say(learnable: Learnable) -> None:
    """Each worker bins its own rows, so the edges of bins differ a little: by no more than what another seed changes here."""
    y, train, weight = learnable.y, learnable.train, np.ones(int(learnable.train.sum()))
    here, another = (TreeGrower(learnable.here[train], y[train], seed).grow(weight, TreeSize(60)) for seed in (0, 1))
    grower = learnable.there.held.grower
    assert grower is not None
    there = grower(learnable.there[train], y[train], 0).grow(weight, TreeSize(60))
    a, b, c = (model.raw_score(np.asarray(learnable.here[~train])) for model in (here, there, another))
    base = learnable.loss(np.full(a.size, np.log(y[train].mean() / (1 - y[train].mean()))))
    assert learnable.loss(b) < base
    assert np.std(a - b) < 1.5 * np.std(a - c)
    assert np.corrcoef(a, b)[0, 1] > 0.99
    assert "machines" not in there.text


@pytest.mark.proof
def test_trees_grow_though_a_worker_dies(learnable: Learnable, processes: Processes) -> None:
    """The other worker waits for the dead one's histograms; the fit is called off and begun anew with the rows that can be made again."""
    y, train = learnable.y, learnable.train
    grower = learnable.there.held.grower
    assert grower is not None
    killer = threading.Timer(1.5, processes.kill_worker)
    killer.start()
    curve = grower(learnable.there[train], y[train], 0).curve(learnable.there[~train], y[~train], TreeShape())
    killer.join()
    assert PATIENCE < curve.losses.size <= MAX_TREES
    asked = learnable.loss(curve.raw_score(learnable.there[~train], 50))
    assert asked == pytest.approx(curve.losses[49], abs=1e-9)


def test_few_rows_are_learned_from_here(learnable: Learnable, monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes no time gains none on a cluster, and is then the same to the bit."""
    assert len(learnable.there) < candidates.LEAST_SHARED
    assert isinstance(grower_of(learnable.there, learnable.y, 0), TreeGrower)
    monkeypatch.setattr(candidates, "LEAST_SHARED", len(learnable.there))
    assert isinstance(grower_of(learnable.there, learnable.y, 0), ClusterGrower)
    assert isinstance(grower_of(learnable.there[1:], learnable.y[1:], 0), TreeGrower)


@pytest.mark.parametrize(("losses", "trees"), [([3.0, 2.0, 1.0], 3), ([1.0] + [2.0] * PATIENCE, PATIENCE + 1), ([1.0] + [2.0] * 300, PATIENCE + 1)])
def test_a_curve_ends_where_patience_does(losses: list[float], trees: int) -> None:
    assert _stop(np.array(losses)) == trees


@pytest.mark.parametrize("url", ["localhost", "http://localhost:8786", "tcp://localhost", "tcp://:8786", ""])
def test_an_address_that_is_none(url: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="must be the address of a Dask scheduler, such as tcp://"), connected(url, tmp_path):
        pass


def test_nobody_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "ANSWERS_WITHIN_SECONDS", 1)
    with pytest.raises(DataError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9 "), connected("tcp://127.0.0.1:9", tmp_path):
        pass


def test_a_scheduler_without_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with cluster_processes(tmp_path, workers=0) as alone:
        monkeypatch.setattr(clusters, "ANSWERS_WITHIN_SECONDS", 2)
        with pytest.raises(DataError, match=r"has no worker\. Start some with `dask worker tcp"), connected(alone.url, tmp_path):
            pass


def test_a_cluster_that_loses_its_last_worker_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a task nor trees wait for a worker that never comes."""
    with cluster_processes(tmp_path, workers=1) as alone, connected(alone.url, tmp_path) as made:
        monkeypatch.setattr(clusters, "LOOKS_EVERY_SECONDS", 0.2)
        monkeypatch.setattr(clusters, "WITHOUT_WORKERS_SECONDS", 1.0)
        threading.Timer(0.5, alone.kill_worker).start()
        with pytest.raises(DataError, match=r"it has had none for 1 seconds\. Start some"):
            list(made.each(time.sleep, [60]))
        with pytest.raises(DataError, match=r"it has had none for 1 seconds\. Start some"):
            made.require_worker()


def test_a_worker_with_other_code_is_refused(processes: Processes, cluster: Cluster, tmp_path: Path) -> None:
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "features" / "fold.py").write_text("CHANGED = True\n", encoding="utf-8")
    processes.start_worker(tmp_path)
    cluster.client.wait_for_workers(3)
    with pytest.raises(DataError, match=r"has leadscore code .* instead of code .*Install the same versions"), connected(processes.url, tmp_path):
        pass
    stranger = processes.workers.pop()
    stranger.kill()
    stranger.wait()


def test_workers_that_see_another_folder_are_refused(tmp_path: Path) -> None:
    class Elsewhere:
        def run(self, *_: object, on_error: str) -> dict[str, object]:
            assert on_error == "return"
            return {"tcp://10.0.0.1:1": None, "tcp://10.0.0.2:1": PermissionError("no")}

    with pytest.raises(DataError, match=r"tcp://10\.0\.0\.1:1, tcp://10\.0\.0\.2:1 can't read what was written there"):
        clusters._require_shared(Elsewhere(), tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []


def test_a_flat_file_is_learned_from_here(tmp_path: Path, home: Path) -> None:
    from training.commands import _no_cluster

    with pytest.raises(DataError, match="--cluster is for a folder of tables"):
        _no_cluster("tcp://localhost:8786")
