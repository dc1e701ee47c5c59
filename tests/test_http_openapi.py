"""The documents of the API: whole, consistent with what is answered, readable by those who know 3.0 only, and a page that needs nobody."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from service import running, with_champion
from serving.answers import ScoreAnswer
from serving.app import ROUTES
from serving.contract import ScoreRequest
from serving.errors import ServiceError


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with running(with_champion(tmp_path_factory.mktemp("store"))) as client:
        yield client


def nodes(document: Any) -> Iterator[dict[str, Any]]:
    """Every object in a document."""
    if isinstance(document, dict):
        yield document
    for inner in document.values() if isinstance(document, dict) else document if isinstance(document, list) else ():
        yield from nodes(inner)


@pytest.mark.parametrize(("path", "version"), [("/openapi.json", "3.1.0"), ("/openapi-3.0.json", "3.0.3")])
def test_every_call_is_described_and_every_reference_leads_somewhere(client: TestClient, path: str, version: str) -> None:
    document = client.get(path).json()
    assert document["openapi"] == version
    assert set(document["paths"]) == {r.path for r in ROUTES if r.told.get("include_in_schema", True)}
    schemas = document["components"]["schemas"]
    references = {node["$ref"] for node in nodes(document) if isinstance(node.get("$ref"), str)}
    assert references == {f"#/components/schemas/{name}" for name in schemas}, "each is used, none is missing"
    calls = [call for methods in document["paths"].values() for call in methods.values()]
    assert len({call["operationId"] for call in calls}) == len(calls)
    assert all(call["summary"] and {"200", "202"} & call["responses"].keys() for call in calls)


USUAL = {"401", "403", "429", "503"}


def test_each_call_says_how_it_refuses(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    for route in (route for route in ROUTES if route.scope is not None):
        call = paths[route.path][route.method.lower()]
        sends = "requestBody" in call or route.method == "POST"
        expected = USUAL | ({"413", "422"} if sends else set()) | ({"409"} if route.method == "POST" else set())
        assert expected <= set(call["responses"]), route.path
        assert call["security"] == [{"key": []}]
        headers = {p["name"] for p in call.get("parameters", ()) if p["in"] == "header"}
        assert headers - {"Accept-Language"} == ({"Idempotency-Key"} if route.method == "POST" else set())
        assert {p["name"] for p in call.get("parameters", ()) if p["in"] == "path"} == set(re.findall(r"{(\w+)}", route.path))
    assert "503" in paths["/readyz"]["get"]["responses"]


def test_every_refusal_has_an_example_with_its_own_name_and_every_answer_and_body_one(client: TestClient) -> None:
    classes = {error.__name__: error for error in refusals()}
    for path, methods in client.get("/openapi.json").json()["paths"].items():
        for method, call in methods.items():
            for status, response in call["responses"].items():
                _check_examples(classes, f"{method} {path} {status}", int(status), response["content"])
            for kind, content in call.get("requestBody", {"content": {}})["content"].items():
                assert content.get("example"), (method, path, kind)


def _check_examples(classes: dict[str, type[ServiceError]], where: str, status: int, content: dict[str, Any]) -> None:
    for kind, told in content.items():
        examples = told.get("examples")
        if status < 400 or examples is None:
            assert told.get("example"), (where, kind)
            continue
        assert examples, where
        for name, example in examples.items():
            assert example["value"] == {"error": name, "detail": classes[name].example}
            assert classes[name].status == status


def refusals(base: type[ServiceError] = ServiceError) -> Iterator[type[ServiceError]]:
    """Every class that is an answer."""
    for error in base.__subclasses__():
        if error.example:
            yield error
        yield from refusals(error)


def test_the_example_of_the_document_works(client: TestClient) -> None:
    calls = client.get("/openapi.json").json()["paths"]
    for path in ("/v1/score", "/v1/score/batch"):
        example = calls[path]["post"]["requestBody"]["content"]["application/json"]["example"]
        assert client.post(path, json=example).status_code == 200


def test_the_document_shows_the_models_as_they_are(client: TestClient) -> None:
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    assert set(schemas["ScoreRequest"]["properties"]) == set(ScoreRequest.model_fields)
    assert set(schemas["ScoreAnswer"]["required"]) == set(ScoreAnswer.model_fields)
    assert schemas["EventRow"]["properties"]["occurred_at"]["format"] == "date-time"


def test_the_older_document_has_nothing_that_its_readers_do_not_know(client: TestClient) -> None:
    document = client.get("/openapi-3.0.json").json()
    for node in nodes(document["components"]["schemas"]):
        assert node.get("type") != "null"
        assert not {"const", "prefixItems", "examples", "$defs", "patternProperties", "if"} & node.keys()
        assert not isinstance(node.get("type"), list)
        assert not ("$ref" in node and len(node) > 1)
        assert isinstance(node.get("exclusiveMinimum", True), bool)
    nullable = document["components"]["schemas"]["ScoreAnswer"]["properties"]["probability"]
    assert (nullable["nullable"], nullable["type"]) == (True, "number")


def test_the_page_fetches_nothing_and_names_everything(client: TestClient) -> None:
    response = client.get("/docs")
    page = response.text
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert not re.search(r"<script|<link|<img|@import|url\(", page)
    assert all(address.startswith(("#", "/openapi")) for address in re.findall(r'href="([^"]*)"', page))
    document = client.get("/openapi.json").json()
    for name in (*document["paths"], *document["components"]["schemas"]):
        assert name in page
    anchors = set(re.findall(r'id="([^"]*)"', page))
    assert {address[1:] for address in re.findall(r'href="(#[^"]*)"', page)} <= anchors


def test_the_stock_page_of_the_framework_is_gone(client: TestClient) -> None:
    assert client.get("/redoc").status_code == 404


def test_the_page_is_written_down(client: TestClient) -> None:
    """docs/http.md names every call and every refusal."""
    text = (Path(__file__).parent.parent / "docs" / "http.md").read_text("utf-8")
    names = [error.__name__ for error in refusals()]
    missing = [name for name in (*(r.path for r in ROUTES), *names) if name not in text]
    assert missing == []
