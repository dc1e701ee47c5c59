"""A TOML document against a frozen model: every mistake named by its key, with what was expected and the nearest name."""

import json
import tomllib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from secrets import token_hex
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

import orjson
from pydantic import BaseModel, ValidationError

from data.contract import DataError

Model = TypeVar("Model", bound=BaseModel)


def read_toml(path: Path) -> dict[str, Any]:
    """The TOML file as a dict (UTF-8, with or without a byte order mark); raises DataError naming the line of a mistake."""
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise DataError(f"{path} can't be read: {error.strerror}. Check the path.") from None
    except UnicodeDecodeError:
        raise DataError(f"{path} must be UTF-8 text, and is not. Save it as UTF-8.") from None
    except tomllib.TOMLDecodeError as error:
        raise DataError(f"{path} is not valid TOML: {error}. Text goes in quotes, lists in [ ].") from None


def write_json(path: Path, document: Any) -> None:
    """A small JSON file, whole or not at all, whoever else writes it at the same time."""
    new = path.with_name(f".{path.name}.{token_hex(4)}.new")
    new.write_bytes(orjson.dumps(document, option=orjson.OPT_NON_STR_KEYS))
    new.replace(path)


def parse_document(model: type[Model], document: Mapping[str, Any], where: str) -> Model:
    """The document as `model`; raises one DataError with a line for each mistake, `where` being what people call the file."""
    try:
        return model.model_validate_json(json.dumps(document, default=str), strict=True)
    except ValidationError as error:
        lines = [f"{where}: {_explain(model, mistake)}" for mistake in error.errors()]
        raise DataError("\n".join(lines)) from None


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The name most like `name`, ignoring case, or None if nothing is."""
    by_lower = {candidate.lower(): candidate for candidate in names}
    found = get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[found[0]] if found else None


def suggestion(name: str, names: Iterable[str]) -> str:
    """A sentence for the end of a message: the nearest name, else all of them."""
    known = list(names)
    close = nearest(name, known)
    return f"Did you mean {close!r}?" if close else f"Known names: {', '.join(known)}."


def _explain(model: type[BaseModel], mistake: Any) -> str:
    loc, kind = [str(part) for part in mistake["loc"]], mistake["type"]
    key = ".".join(loc) or "the file"
    if kind == "extra_forbidden":
        return f"unknown key `{key}`. {suggestion(loc[-1], _keys(model, loc[:-1]))}"
    if kind == "missing":
        return f"`{key}` is required and not there. Add it."
    expected = mistake["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    if kind == "value_error":
        return f"`{key}`: {expected}"
    return f"`{key}` must be {expected}; found {_shown(mistake['input'])}.{_choice(mistake)}"


def _choice(mistake: Any) -> str:
    if mistake["type"] != "literal_error" or not isinstance(mistake["input"], str):
        return ""
    allowed = [part.strip(" '") for part in mistake["ctx"]["expected"].replace(" or ", ",").split(",")]
    close = nearest(mistake["input"], allowed)
    return f" Did you mean {close!r}?" if close else ""


def _shown(value: object) -> str:
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."


def _keys(model: type[BaseModel], loc: list[str]) -> list[str]:
    """The keys that the part of `model` at `loc` knows."""
    kind: Any = model
    for part in loc:
        kind = _inside(kind, part)
    return [field.alias or name for name, field in kind.model_fields.items()]


def _inside(kind: Any, part: str) -> Any:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        inner = next(field.annotation for name, field in kind.model_fields.items() if part in (name, field.alias))
    else:
        inner = next(arg for arg in reversed(get_args(kind)) if arg is not Ellipsis)
    if get_origin(inner) in (Union, UnionType):
        inner = next(arg for arg in get_args(inner) if arg is not type(None))
    return inner
