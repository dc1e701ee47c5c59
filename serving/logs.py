"""One JSON line per happening. Nothing that was sent about a lead is in it: no body, no query, no id in a path, no text of an exception."""

import logging
import traceback
from pathlib import Path
from typing import Any

import orjson

from data.contract import format_instant

_DEEPEST = 12


class JsonLines(logging.Formatter):
    """`{"at", "level", "from", "message"}` and the `fields` of the record."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": format_instant(int(record.created * 1_000_000)),
            "level": record.levelname.lower(),
            "from": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info and record.exc_info[1]:
            line["trace"] = trace_of(record.exc_info[1])
        return orjson.dumps(line | getattr(record, "fields", {}), default=str).decode()


def trace_of(error: BaseException) -> str:
    """Where it went wrong, innermost last, and the error's type; its message may hold what was sent and is left out."""
    return " > ".join([*_frames(error), type(error).__name__])


def place_of(error: BaseException) -> str:
    """The innermost place: `scorer.py:41 answer`."""
    return (_frames(error) or ["nowhere"])[-1]


def _frames(error: BaseException) -> list[str]:
    frames = traceback.extract_tb(error.__traceback__)[-_DEEPEST:]
    return [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]


def log_config() -> dict[str, Any]:
    """For `logging.config.dictConfig`: the service's and the server's own lines, all to stderr."""
    own = {"handlers": ["stderr"], "level": "INFO", "propagate": False}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": "serving.logs.JsonLines"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json", "stream": "ext://sys.stderr"}},
        "loggers": {"leadscore": own, "uvicorn": own},
    }
