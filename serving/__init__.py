"""Answers: the scorer, the recommendation policy, and the HTTP service around them."""

from importlib import import_module
from typing import Any

_HOMES = {
    "ScoreRequest": "serving.contract",
    "Scorer": "serving.scorer",
    "ServiceError": "serving.errors",
    "Settings": "serving.settings",
    "create_app": "serving.app",
    "serve": "serving.server",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for, so that `import serving` costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'serving' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
