"""The bundle: everything that scores a funnel, as one readable document and the trees' texts. One version is the whole funnel."""

import hashlib
import io
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

import numpy as np
import orjson

from data.contract import DataError
from features.schema import Schema
from registry.calibrator import Calibrator
from registry.models import Floats, Model, Rows, model_from_document

FORMAT = 1
OUTCOME = "outcome"
"""The one transition of a flat file, which names no stages: from lead to the outcome, whenever it comes (`horizon_days` 0)."""
FLAT_PATH = ("lead", OUTCOME)
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, LookupError, AttributeError, ValueError, TypeError)
"""What reading changed bytes can end in, from the archive down to the models."""
Z90 = 1.6448536269514722
"""Half width of a 90 % interval in standard deviations."""


@dataclass(frozen=True)
class HopModel:
    """P(the hop `transition` within `horizon_days` | the hops before it were made in time, everything known now) for a lead that stands in `stage`.

    `population` (k,) are sorted probabilities of open leads of that stage on recent Mondays: what a score is a percentile of. `spread` gives the
    logarithm of the standard deviation of the log-odds, from refits on resampled leads. `evaluation` is plain JSON for people.
    """

    stage: str
    transition: str
    horizon_days: int
    model: Model
    calibrator: Calibrator
    spread: Model
    population: Floats
    evaluation: Mapping[str, Any]

    @property
    def direct(self) -> bool:
        """Whether it is the next step of who stands in `stage`, not one further ahead."""
        return self.transition == OUTCOME or self.transition.startswith(f"{self.stage}->")

    def log_odds(self, X: Rows) -> Floats:
        """(n, p) -> (n,) calibrated."""
        return np.asarray(self.calibrator.logit(self.model.raw_score(X)))

    def probability(self, X: Rows) -> Floats:
        return sigmoid(self.log_odds(X))

    def interval(self, X: Rows, raw: Floats) -> tuple[Floats, Floats]:
        """90 % interval of the true chance of such leads, (n,) each: the refits' spread around the model's raw score (n,), calibrated as it is."""
        half = Z90 * np.exp(self.spread.raw_score(X))
        return sigmoid(self.calibrator.logit(raw - half)), sigmoid(self.calibrator.logit(raw + half))

    def explain(self, X: Rows) -> tuple[Floats, Floats]:
        """(base (n,), effects (n, p)) in calibrated log-odds: base + effects = logit(probability)."""
        return self.calibrated(self.model.contributions(X))

    def calibrated(self, contributions: Floats) -> tuple[Floats, Floats]:
        """What the model's contributions (n, p + 1) are in calibrated log-odds. The calibrator is monotone, so the effects of the raw score are
        stretched by one positive factor per row."""
        raw_base = contributions[:, -1]
        effects = contributions[:, :-1]
        moved = effects.sum(axis=1)
        ends = self.calibrator.logit(np.concatenate([raw_base, raw_base + moved]))
        base, total = ends[: len(moved)], ends[len(moved) :]
        flat = np.abs(moved) < 1e-12
        stretch = np.where(flat, 1.0, (total - base) / np.where(flat, 1.0, moved))
        return base, effects * stretch[:, None]

    def score(self, probability: Floats) -> Floats:
        """Mid-rank percentile 0-100 among the population; 50 where nobody is known."""
        n = self.population.size
        if n == 0:
            return np.full(probability.shape, 50.0)
        below = self.population.searchsorted(probability, "left")
        upto = self.population.searchsorted(probability, "right")
        return np.asarray(100.0 * (below + upto) / (2 * n))

    def document(self) -> dict[str, Any]:
        return {
            "stage": self.stage,
            "transition": self.transition,
            "horizon_days": self.horizon_days,
            "model": self.model.document(),
            "calibrator": self.calibrator.to_document(),
            "spread": self.spread.document(),
            "population": self.population.tolist(),
            "evaluation": dict(self.evaluation),
        }


def sigmoid(x: Floats) -> Floats:
    """1 / (1 + exp(-x)) without overflow."""
    e = np.exp(-np.abs(x))
    return np.asarray(np.where(x >= 0, 1.0, e) / (1.0 + e))


@dataclass(frozen=True)
class Bundle:
    """A trained funnel. `path` are the stages that leads stand in, in order; `funnel` the keys of funnel.toml that touched labels or features;
    `about` says where it comes from (data digest, data_end, trained_at, report)."""

    schema: Schema
    path: tuple[str, ...]
    hops: tuple[HopModel, ...]
    funnel: Mapping[str, Any]
    about: Mapping[str, Any]

    def hops_from(self, stage: str) -> tuple[HopModel, ...]:
        """The chain of hops for a lead standing in `stage`, nearest first; it ends where a transition had too little evidence."""
        of_stage = {h.transition: h for h in self.hops if h.stage == stage}
        return tuple(of_stage[t] for t in transitions(self.path) if t in of_stage)

    def document(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "path": list(self.path),
            "funnel": dict(self.funnel),
            "schema": self.schema.document(),
            "schema_hash": self.schema.hash,
            "hops": [h.document() for h in self.hops],
            "about": dict(self.about),
        }

    @property
    def hash(self) -> str:
        """sha256 of what scores and what is told of it; when it was trained and how long that took are left out."""
        hops = [h.document() | {"evaluation": _timeless(h.evaluation)} for h in self.hops]
        digest = hashlib.sha256(_json(self.document() | {"hops": hops, "about": _timeless(self.about)}))
        for name, text in sorted(self._texts().items()):
            digest.update(name.encode() + b"\0" + text.encode())
        return digest.hexdigest()

    def _texts(self) -> dict[str, str]:
        models = [(f"{h.stage}.{h.transition}.{part}", getattr(h, part)) for h in self.hops for part in ("model", "spread")]
        return {f"{name.replace('->', '-')}.txt": m.text for name, m in models if hasattr(m, "text")}

    def to_bytes(self) -> bytes:
        """A zip of `bundle.json` and one text per boosted model; the same bundle gives the same bytes."""
        files = {"bundle.json": _json(self.document())} | {name: text.encode() for name, text in self._texts().items()}
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in sorted(files):
                archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), files[name], zipfile.ZIP_DEFLATED)
        return out.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Inverse of `to_bytes`. Raises DataError for bytes that are torn or of another format."""
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                document = orjson.loads(archive.read("bundle.json"))
                texts = {name: archive.read(name).decode() for name in archive.namelist() if name != "bundle.json"}
            return cls._of(document, texts)
        except _DAMAGE as error:
            raise _unreadable(error) from error

    @classmethod
    def _of(cls, document: Mapping[str, Any], texts: Mapping[str, str]) -> Self:
        if document["format"] != FORMAT:
            raise ValueError(f"it is of format {document['format']}")
        hops = tuple(_hop(h, texts) for h in document["hops"])
        return cls(Schema.from_document(document["schema"]), tuple(document["path"]), hops, document["funnel"], document["about"])


def read_document(content: bytes) -> dict[str, Any]:
    """What a bundle's bytes tell of it, as `Bundle.document` does, without making its models. Raises DataError as `Bundle.from_bytes`."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            document: dict[str, Any] = orjson.loads(archive.read("bundle.json"))
        if document["format"] != FORMAT:
            raise ValueError(f"it is of format {document['format']}")
    except _DAMAGE as error:
        raise _unreadable(error) from error
    return document


def _unreadable(error: Exception) -> DataError:
    return DataError(f"a bundle must be a whole archive of format {FORMAT}; this one can't be read ({error}). Train or promote another.")


def transitions(path: tuple[str, ...]) -> tuple[str, ...]:
    """The steps between neighbouring stages: ("lead->prospect", "prospect->opportunity"); `outcome` alone for a flat file."""
    return (OUTCOME,) if path == FLAT_PATH else tuple(f"{a}->{b}" for a, b in pairwise(path))


def _hop(document: Mapping[str, Any], texts: Mapping[str, str]) -> HopModel:
    stem = f"{document['stage']}.{document['transition']}".replace("->", "-")
    model, spread = (model_from_document(document[part], texts.get(f"{stem}.{part}.txt")) for part in ("model", "spread"))
    return HopModel(
        document["stage"],
        document["transition"],
        int(document["horizon_days"]),
        model,
        Calibrator.from_document(document["calibrator"]),
        spread,
        np.array(document["population"], np.float64),
        document["evaluation"],
    )


def _timeless(document: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key not in ("trained_at", "seconds")}


def _json(document: Mapping[str, Any]) -> bytes:
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2)
