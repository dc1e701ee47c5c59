"""What exists and when it became known: contract, reading and validation, funnel, operational store."""

from importlib import import_module
from typing import Any

_HOMES = {
    "DataError": "data.contract",
    "parse_instant": "data.contract",
    "Dataset": "data.dataset",
    "read_dataset": "data.dataset",
    "Funnel": "data.funnel",
    "load_funnel": "data.funnel",
    "DatasetMapping": "data.mapping",
    "load_mapping": "data.mapping",
    "Report": "data.validation",
    "InvalidDataset": "data.validation",
    "Store": "data.store",
    "open_store": "data.store",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for, so that `import data` costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'data' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
