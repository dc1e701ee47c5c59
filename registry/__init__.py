"""What we stand behind: the bundle, its record in MLflow, and promotion."""

from importlib import import_module
from typing import Any

_HOMES = {"Bundle": "registry.bundle", "HopModel": "registry.bundle", "promote": "registry.promotion", "rollback": "registry.promotion"}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for, so that `import registry` costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'registry' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
