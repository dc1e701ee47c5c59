"""Replay: any score in the ledger given again, from the model's row that was kept and the bundle that gave it."""

import sys
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from data.contract import DataError, format_instant
from data.funnel import load_funnel
from data.home import leadscore_home
from data.ledger import ScoreRecord, get, was_erased
from data.policy import Policy
from data.store import Store, open_store
from registry.bundle import Bundle
from registry.models import Rows
from serving.drainer import Drainer
from serving.scorer import Scorer
from serving.spool import waiting

SPOOL = "spool"
"""The spool's folder under LEADSCORE_HOME."""
SETTLING_SECONDS = 1.0
"""How long a score that was just given may be under way from the spool to the ledger."""

_COMPARED = ("probability", "low", "high", "score")


@dataclass(frozen=True)
class Replay:
    """What the ledger kept of a score, and the judgement given again. `differences` names what is not equal to the last bit."""

    record: ScoreRecord
    judged: dict[str, Any]
    differences: tuple[str, ...]

    @property
    def document(self) -> dict[str, Any]:
        """The body of `GET /v1/scores/{score_id}`."""
        again = {"replayed": self.judged, "same": not self.differences, "different": list(self.differences)}
        return {"lead_id": self.record.lead_id} | told(self.record) | again


def told(record: ScoreRecord) -> dict[str, Any]:
    """A score of the ledger as JSON shows it: without its lead and the model's row."""
    shown = record._asdict() | {"at": format_instant(record.at), "as_of": format_instant(record.as_of)}
    # The column is one of floats.
    shown["score"] = None if record.score is None else round(record.score)
    return {name: shown[name] for name in ScoreRecord._fields if name not in ("lead_id", "features")}


def replayed(record: ScoreRecord, scorer: Scorer, all_reasons: bool = False) -> Replay:
    """`scorer` must hold the bundle of the record's version. DataError where the row does not fit that bundle: then it is another one."""
    judged = next(scorer.judge(record.stage, row_of(record, scorer.bundle), all_reasons))
    first: dict[str, Any] = next(iter(judged["transitions"].values()), {})
    again = {name: first.get(name) for name in _COMPARED}
    return Replay(record, judged, tuple(name for name in _COMPARED if again[name] != getattr(record, name)))


def row_of(record: ScoreRecord, bundle: Bundle) -> Rows:
    """The model's row of the score, (1, p)."""
    row = np.frombuffer(record.features, "<f4").astype(np.float32)
    if row.size != len(bundle.schema.columns):
        raise DataError(
            f"the row of score {record.score_id} must have the {len(bundle.schema.columns)} columns of version {record.version}; it has {row.size}. "
            "The store holds another bundle under that version than the one that gave the score."
        )
    return row[None]


@lru_cache(maxsize=4)
def bundle_of(store: Store, version: str) -> Bundle:
    """The bundle of that version, from the store. DataError where it lacks it; a version never changes, so that those last used are kept."""
    return Bundle.from_bytes(store.bundle(version))


def scorer_of(store: Store, version: str, policy: Policy) -> Scorer:
    """A scorer of that version under the policy of today."""
    return Scorer(bundle_of(store, version), version, policy)


def replay(score_id: str, out: str | None = None) -> int:
    """`leadscore replay`: gives a score again and compares. Exit code 1 where it differs; DataError where there is none.

    `out`: where the whole judgement goes as JSON; `-` is standard output, and the words go to stderr then.
    """
    from rich.console import Console

    policy = load_funnel(None).policy
    with open_store() as store:
        record = _found(store, leadscore_home() / SPOOL, score_id)
        again = replayed(record, _scorer_from_anywhere(store, record.version, policy), all_reasons=True)
    console = Console(stderr=out == "-", soft_wrap=True, highlight=False)
    for line in _lines(again):
        console.print(line, markup=False)
    if out is not None:
        _write(out, orjson.dumps(again.document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    return 1 if again.differences else 0


def _write(out: str, text: bytes) -> None:
    if out == "-":
        sys.stdout.write(text.decode())
        return
    try:
        Path(out).write_bytes(text)
    except OSError as error:
        raise DataError(f"--json must name a file that can be written; {out} can't be: {error.strerror}. Name another.") from None


def _found(store: Store, folder: Path, score_id: str) -> ScoreRecord:
    """Out of the ledger, once all that was acknowledged before is there: files that nobody writes are drained here, the others by the service."""
    Drainer(folder, store).drain()
    older, deadline = waiting(folder), time.monotonic() + SETTLING_SECONDS
    while (record := get(store, score_id)) is None and any(path.exists() for path in older) and time.monotonic() < deadline:
        time.sleep(0.02)
    if record is not None:
        return record
    if was_erased(store, score_id):
        raise DataError(f"score {score_id} belonged to a lead that has been erased: nothing of it is kept.")
    kept = load_funnel(None).retention.scores_days
    raise DataError(
        f"there is no score {score_id} in the ledger. Check the id, and that LEADSCORE_HOME is the service's; scores are kept {kept} days."
    )


def _scorer_from_anywhere(store: Store, version: str, policy: Policy) -> Scorer:
    if version in store.versions():
        return scorer_of(store, version, policy)
    from registry.tracking import bundle_bytes  # a store that was set up anew lacks older versions; the registry has them

    return Scorer(Bundle.from_bytes(bundle_bytes(version)), version, policy)


def _lines(again: Replay) -> list[str]:
    record, judged = again.record, again.judged
    lead = "a lead without an id" if record.lead_id is None else f"lead {record.lead_id}"
    told = [f"{lead}, {record.stage}, at {format_instant(record.as_of)}, scored by version {record.version}"]
    told += [f"probability stored   {record.probability!r}", f"probability replayed {judged['probability']!r}"]
    told.append(f"different: {', '.join(again.differences)}" if again.differences else "equal to the last bit")
    return told + [f"{reason['effect']:+.3f}  {reason['text']}" for reason in judged["reasons"]]
