"""The sample world: a made-up CRM whose true conversion chances are known exactly."""

from importlib import import_module
from typing import Any

_HOMES = {
    "write_sample": "data.sample.write",
    "SampleSummary": "data.sample.write",
    "simulate": "data.sample.world",
    "World": "data.sample.world",
    "Moment": "data.sample.world",
    "Truth": "data.sample.world",
    "Reach": "data.sample.world",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for, so that `import data.sample` costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'data.sample' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
