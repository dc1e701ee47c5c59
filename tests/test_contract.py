"""The contract is what it was, unless it is changed on purpose: `python tests/test_contract.py` writes the new one down."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
from pydantic import BaseModel

from serving.app import ROUTES, create_app
from serving.examples import answers
from serving.openapi import openapi_3_0, openapi_3_1
from serving.routes import Route
from serving.settings import Settings

SNAPSHOT = Path(__file__).parent / "contract" / "openapi.json"
LISTED = [route for route in ROUTES if route.told.get("include_in_schema", True)]
ANNOUNCE = """the contract has changed: {changed}. Callers depend on it.
If that is meant, write it down with `python tests/test_contract.py` and name it under "Changed" in CHANGELOG.md; else undo it."""


def contract() -> dict[str, Any]:
    return json.loads(json.dumps(openapi_3_1(create_app(Settings("sqlite://")))))


def written(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def differing(one: Any, other: Any, at: str = "") -> Iterator[str]:
    """The deepest places at which two documents differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted(one.keys() | other.keys()):
            yield from differing(one.get(key), other.get(key), f"{at}/{key}")
    elif one != other:
        yield at


def test_the_contract_has_not_changed_unannounced() -> None:
    now, before = contract(), json.loads(SNAPSHOT.read_text("utf-8"))
    changed = list(differing(before, now))
    assert not changed, ANNOUNCE.format(changed=", ".join(changed[:10]))


def test_a_change_is_told_by_its_place() -> None:
    assert list(differing({"a": {"b": [1], "c": 2}}, {"a": {"b": [2]}})) == ["/a/b", "/a/c"]


@pytest.mark.parametrize("version", [openapi_3_1, openapi_3_0])
def test_both_documents_are_read_by_another_program(version: Any) -> None:
    app = create_app(Settings("sqlite://"))
    schema = schemathesis.openapi.from_dict(json.loads(json.dumps(version(app))))
    schema.validate()
    found = {(operation.ok().method.upper(), operation.ok().path) for operation in schema.get_all_operations()}
    assert found == {(route.method, route.path) for route in LISTED}


@pytest.mark.parametrize("route", LISTED, ids=lambda route: route.told["operation_id"])
def test_the_examples_are_of_the_shape_that_they_show(route: Route) -> None:
    for status, response in route.told["responses"].items():
        model = response.get("model")
        if status < 400 and model is not None:
            _fits(model, answers()[route.told["operation_id"]])
    if "asked" in route.told:
        _fits(route.told["asked"], route.told["openapi_extra"]["requestBody"]["content"]["application/json"]["example"])


def _fits(model: type[BaseModel], example: Any) -> None:
    jsonschema_rs.validate(model.model_json_schema(mode="validation"), example)


def test_no_example_is_left_of_a_call_that_is_gone() -> None:
    assert {name.split()[0] for name in answers()} <= {route.told["operation_id"] for route in LISTED}


if __name__ == "__main__":
    SNAPSHOT.parent.mkdir(exist_ok=True)
    SNAPSHOT.write_text(written(contract()), "utf-8")
    sys.stdout.write(f"{SNAPSHOT} is the contract now\n")
