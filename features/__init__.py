"""What was knowable at as_of: the timeline, the declarations, and one computation for one lead and for many."""

from importlib import import_module
from typing import Any

_HOMES = {
    "Cohort": "features.tables",
    "Known": "features.rows",
    "Schema": "features.schema",
    "Timeline": "features.timeline",
    "cohort_of": "features.tables",
    "compute": "features.rows",
    "discover": "features.discovery",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for, so that `import features` costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'features' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
