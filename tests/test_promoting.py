"""From a recorded version to what serves: the decision, its record, the move, the shadow, the way back; a champion on what came after its data."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import mlflow
import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from data import shadow
from data.contract import format_instant
from data.funnel import Drift, Funnel
from data.store import Store, open_store
from registry import promotion, tracking
from registry.bundle import Bundle
from training.comparison import Contender, decide
from training.promoting import carry_out, propose
from training.run import Trained
from worlds import World, raised

ALONG = Funnel.from_document({"shadow": {"share": 0.5}})


@pytest.fixture
def store(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.delenv("LEADSCORE_DATABASE_URL", raising=False)
    with open_store() as store:
        yield store


def answers(trained: Trained, p: np.ndarray) -> Trained:
    place = trained.forward.column_names.index("probability")
    return replace(trained, forward=trained.forward.set_column(place, "probability", pa.array(p)))


def said(trained: Trained) -> np.ndarray:
    return np.asarray(trained.forward["probability"])


def settled(store: Store, trained: Trained, world: World, promote: str = "auto") -> tuple[str, bool]:
    version = tracking.log_training(trained.bundle, trained.report, trained.forward, {}, "")
    proposal = propose(store, version, trained, world.dataset, ALONG, promote, lambda _: None)
    carry_out(store, proposal, ALONG)
    return version, proposal.decision.promote


def serves(store: Store) -> tuple[str, str]:
    """What the store serves, and what the registry says of it."""
    champion = store.champion()
    assert champion is not None
    alias = mlflow.MlflowClient(tracking.tracking_uri()).get_model_version_by_alias(tracking.NAME, tracking.CHAMPION)
    return champion[0], str(alias.version)


def test_first_worse_better_and_back(sample: World, store: Store) -> None:
    """The forward twins of three trainings: as it was, blurred, and one that knows more than any model can."""
    trained, rng = sample.trained, np.random.default_rng(0)
    y = np.asarray(trained.forward["y"], np.float64)
    blurred = 1 / (1 + np.exp(-np.log(said(trained) / (1 - said(trained))) - rng.normal(size=y.size)))
    challenger = replace(trained, bundle=raised(trained.bundle, "lead->prospect", 0.5))

    assert settled(store, trained, sample) == ("1", True)
    assert settled(store, answers(challenger, blurred), sample) == ("2", False)
    assert serves(store) == ("1", "1")
    told = recorded("2")
    assert (told["champion"], told["promote"]) == ("1", False)
    assert "so champion 1 stays" in " ".join(told["reasons"])
    assert told["churn"]["moved"] > 0
    assert "movers" not in told["churn"], "whom a record would name, no erasure would reach"
    found = shadow.scoring_along(store)
    assert found is not None
    assert found[0] == "2", "so it scores along"
    assert Bundle.from_bytes(store.bundle("2")).hash == challenger.bundle.hash

    assert settled(store, answers(trained, 0.9 * said(trained) + 0.1 * y), sample) == ("3", True)
    assert shadow.scoring_along(store) is None, "what it was compared with serves no more"
    assert serves(store) == ("3", "3")
    assert promotion.rollback(store) == "1"
    assert serves(store) == ("1", "1")
    store.promote("3", "as over HTTP: the store's pointer alone")
    promotion.follow(store)
    assert serves(store) == ("3", "3")
    assert promotion.rollback(store) == "1"
    assert serves(store) == ("1", "1")


def recorded(version: str) -> dict[str, object]:
    run_id = mlflow.MlflowClient(tracking.tracking_uri()).get_model_version(tracking.NAME, version).run_id
    text = mlflow.artifacts.load_text(f"runs:/{run_id}/decision.json")
    return dict(orjson.loads(text))


def test_a_champion_that_cannot_be_read_gives_way(sample: World, store: Store) -> None:
    store.put_bundle("old", "h", b"torn")
    store.promote("old", "test")
    _, promoted = settled(store, sample.trained, sample)
    assert promoted
    assert "champion old can't be read by this program" in store.champions()[-1].reason
    assert promotion.rollback(store) == "old", "the registry does not know it, the store does"
    assert serves(store) == ("old", "1")


def later(sample: World, bundle: Bundle) -> tuple[Contender, Contender, pa.Table]:
    """The challenger, and a champion whose own data ended in the middle of the challenger's test and whose twin was never kept; what came after."""
    forward = sample.trained.forward
    end = int(np.quantile(np.asarray(forward["as_of"]), 0.4, method="nearest"))
    champion = replace(bundle, about={**bundle.about, "data_end": format_instant(end)})
    return Contender("2", sample.bundle, forward), Contender("1", champion, forward.slice(0, 0)), forward.filter(pc.greater(forward["as_of"], end))


def test_where_the_twins_share_nothing_the_champion_is_asked_about_what_came_after_its_data(sample: World) -> None:
    ours, theirs, after = later(sample, sample.bundle)
    found = decide(ours, theirs, sample.dataset, Drift())
    assert f"on {after.num_rows:,} test landmarks that neither had seen" in found.reasons[0]
    assert not found.promote, "the refitted bundle knew these rows"
    assert decide(ours, theirs, None, Drift()).reasons[0].startswith("only 0 landmarks")


def test_a_champion_that_is_off_on_what_came_after_is_replaced(sample: World) -> None:
    """Off at every next step: of what was left right the champion here knew the outcomes, since it was fitted on all."""
    spoiled = sample.bundle
    for transition in {hop.transition for hop in spoiled.hops if hop.direct}:
        spoiled = raised(spoiled, transition, 3.0)
    assert decide(*later(sample, spoiled)[:2], sample.dataset, Drift()).promote
