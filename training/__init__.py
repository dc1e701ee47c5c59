"""How a bundle is made: labels, landmarks, splits, candidates, calibration, evaluation, the run."""

from importlib import import_module
from typing import Any

_HOMES = {"Trained": "training.run", "train": "training.run"}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for, so that `import training` costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'training' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
