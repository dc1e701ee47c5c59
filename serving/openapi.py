"""The OpenAPI document: written beside the routes, made from the models, offered as 3.1 and as 3.0."""

import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from serving.answers import ErrorAnswer
from serving.examples import answers, refusals_of

Document = dict[str, Any]

_REF = "#/components/schemas/{model}"
_ABOUT = """How likely a lead is to become a prospect, and a prospect an opportunity, each within a stated time, why, and what to do next.
Times are ISO-8601, UTC where no zone is given. Every refusal is `{"error": ..., "detail": ...}`.
Every answer has `X-Request-ID`: the caller's own, where it sent a short one. Ids in paths are any text, percent-encoded."""
SCORE_EXAMPLE = {
    "lead": {"lead_id": "L-1", "created_at": "2026-11-02T08:30:00Z", "job_title": "Head of Procurement", "country": "SE"},
    "account": {"industry": "manufacturing", "employees": 800},
    "events": [
        {"occurred_at": "2026-11-18T14:05:00Z", "type": "pricing_page_view"},
        {"occurred_at": "2026-11-20T09:12:00Z", "type": "email_reply", "channel": "email"},
    ],
}
KEYED = {
    401: "No key, or not a living one",
    403: "The key lacks the scope",
    429: "Too many calls with this key, or wrong keys from this address",
    503: "The store does not answer, or no model serves yet",
}
_POSTED = KEYED | {413: "The body is too large", 422: "The body is malformed"}
_REPEATED = {409: "The Idempotency-Key came before with another call, or its first call is still under way"}
REASONS = {
    "name": "reasons",
    "in": "query",
    "required": False,
    "description": "`all` lists every reason; by default the five strongest each way.",
    "schema": {"type": "string", "enum": ["top", "all"], "default": "top"},
}
LANGUAGE = {
    "name": "Accept-Language",
    "in": "header",
    "required": False,
    "description": "Reasons, recommendations and next steps are told in the first of en, sv, de, pt, nb, zh that it asks for, else in English.",
    "schema": {"type": "string", "default": "en"},
    "example": "sv-SE,sv;q=0.9,en;q=0.8",
}
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Kept for 24 hours: the same call with the same key gets the first answer again, with the header `Idempotency-Replayed: true`.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]{1,255}$"},
    "example": "form-4711-2026-11-21",
}
_IDS = {
    "lead_id": ("A lead's id, or any alias of it.", "L-1"),
    "account_id": ("The account's id.", "A-1"),
    "score_id": ("The id that came with the score.", "0c6b8f0e4f7a4b0f9a54b1d3c6a2e981"),
    "version": ("A model's version.", "7"),
    "id": ("Its id.", "0192f3c1a2b4"),
}
_RETRY = {"Retry-After": {"description": "Seconds until it is worth trying again.", "schema": {"type": "integer", "minimum": 1}}}
_TAGS = {
    "scoring": "The score of what is sent",
    "data": "What is known of leads, kept in the store",
    "leads": "One lead: its score, its history, all that is held on it",
    "queue": "Whom to call first",
    "reports": "Where leads go, who buys, and why deals are lost",
    "operations": "Models, retraining and jobs",
    "webhooks": "Where happenings are told",
    "probes": "Whether the service is well",
}
_REPORTS = ("funnel", "icp", "losses")
COUNTED: Mapping[str, Any] = {
    "summary": "What is counted, for Prometheus",
    "operation_id": "metrics",
    "response_class": PlainTextResponse,
    "responses": {200: {"description": "OK", "content": {"text/plain": {"schema": {"type": "string"}, "example": "leadscore_store_up 1.0\n"}}}},
}
UNLISTED: Mapping[str, Any] = {"include_in_schema": False}


def called(
    id: str, summary: str, answer: type[BaseModel], refusals: Mapping[int, str], *, status: int = 200, tag: str = "", **extra: Any
) -> dict[str, Any]:
    """What the contract says of a call without a body; `extra` goes into the operation as it is.

    Refusals that any call of its kind may get need no telling: those of keys, rates, bodies, Idempotency-Key and the store.
    """
    responses = {status: {"model": answer, "description": "OK"}} | {s: {"model": ErrorAnswer, "description": text} for s, text in refusals.items()}
    keyed: dict[str, Any] = {"security": [{"key": []}]} if 401 in refusals else {"security": []}
    tags = {"tags": [tag]} if tag else {}
    return {"summary": summary, "operation_id": id, "status_code": status, "responses": responses, "openapi_extra": keyed | tags | extra}


def posted(id: str, summary: str, asked: type[BaseModel], answer: type[BaseModel], example: Any, **extra: Any) -> dict[str, Any]:
    """The same of a call with a JSON body of the model `asked`; `refusals` beside the usual ones, `status` and `tag` as for `called`."""
    content = {"schema": {"$ref": _REF.format(model=asked.__name__)}, "example": example}
    body = {"required": True, "content": {"application/json": content}}
    return called(id, summary, answer, _POSTED | extra.pop("refusals", {}), requestBody=body, **extra) | {"asked": asked}


@lru_cache(maxsize=1)
def openapi_3_1(app: FastAPI) -> Document:
    """The contract of the service as OpenAPI 3.1. `app.state.calls` are its routes."""
    document = get_openapi(title="leadscore", version=app.version, description=_ABOUT, routes=app.routes)
    calls = [route for route in app.state.calls if route.told.get("include_in_schema", True)]
    models = [(ErrorAnswer, "validation"), *((route.told["asked"], "validation") for route in calls if "asked" in route.told)]
    _, asked = models_json_schema(models, ref_template=_REF)  # type: ignore[arg-type]
    components = document["components"]
    components["schemas"] = dict(sorted((components["schemas"] | asked["$defs"]).items()))
    components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer", "description": "`leadscore keys create` makes one."}}
    not_ready = {"description": "Not ready", "content": {"application/json": {"schema": {"$ref": _REF.format(model="Readiness")}}}}
    document["paths"]["/readyz"]["get"]["responses"]["503"] = not_ready
    for route in calls:
        _complete(document["paths"][route.path][route.method.lower()], route)
    document["tags"] = [{"name": name, "description": text} for name, text in _TAGS.items()]
    return document


def _complete(operation: Document, route: Any) -> None:
    """What goes for every call of its kind: tags, parameters, refusals, and an example of each answer."""
    operation.setdefault("tags", [_tag(route)])
    if parameters := [*_parameters(operation.get("parameters", []), route)]:
        operation["parameters"] = parameters
    if route.ndjson:
        content = operation["requestBody"]["content"]
        content["application/x-ndjson"] = _lines(content["application/json"]["example"])
    responses = operation["responses"]
    for status, description in _usual(operation, route).items():
        responses.setdefault(str(status), {"description": description})
    operation["responses"] = {status: _exemplified(status, response, operation, route) for status, response in sorted(responses.items())}


def _lines(example: Document) -> Document:
    items = example.get("items", [example])
    text = {"type": "string", "description": "One item a line, each a JSON object."}
    return {"schema": text, "example": "".join(json.dumps(item) + "\n" for item in items)}


def _usual(operation: Document, route: Any) -> dict[int, str]:
    if route.scope is None:
        return {}
    named = {404: "Nothing of this id"} if "{" in route.path else {}
    repeated = _POSTED | _REPEATED if route.method == "POST" else {}
    return (_POSTED if "requestBody" in operation else KEYED) | repeated | named


def _exemplified(status: str, response: Document, operation: Document, route: Any) -> Document:
    if status < "400" or "Readiness" in str(response):
        content = response.get("content", {}).get("application/json")
        example = answers().get(f"{operation['operationId']} {status}", answers().get(operation["operationId"]))
        if content is not None and example is not None:
            content["example"] = example
        return response
    examples = {error.__name__: {"value": {"error": error.__name__, "detail": error.example}} for error in refusals_of(int(status), route)}
    content = {"schema": {"$ref": _REF.format(model="ErrorAnswer")}, "examples": examples}
    return response | {"content": {"application/json": content}} | ({"headers": _RETRY} if status in ("429", "503") else {})


def _parameters(declared: Iterable[Document], route: Any) -> Iterable[Document]:
    named = {parameter["name"] for parameter in declared}
    yield from declared
    for name, (description, example) in _IDS.items():
        if f"{{{name}}}" in route.path and name not in named:
            schema = {"type": "string", "minLength": 1}
            yield {"name": name, "in": "path", "required": True, "description": description, "schema": schema, "example": example}
    if route.method == "POST" and route.scope is not None:
        yield _IDEMPOTENCY_KEY


def _tag(route: Any) -> str:
    if route.scope is None:
        return "probes"
    if route.scope in ("score", "ingest"):
        return {"score": "scoring", "ingest": "data"}[route.scope]
    first = route.path.split("/")[2]
    return first if first in _TAGS else {"scores": "leads", "model": "scoring"}.get(first, "reports" if first in _REPORTS else "operations")


def openapi_3_0(app: FastAPI) -> Document:
    """The same contract for readers that know 3.0 only."""
    document: Document = _to_3_0(openapi_3_1(app))
    return document | {"openapi": "3.0.3"}


def _to_3_0(node: Any) -> Any:
    """What 3.1 took from JSON Schema said as 3.0 says it: null and const."""
    if isinstance(node, list):
        return [_to_3_0(item) for item in node]
    if not isinstance(node, dict):
        return node
    out = {key: _to_3_0(value) for key, value in node.items()}
    if "const" in out:
        out["enum"] = [out.pop("const")]
    return _nullable(out)


def _nullable(schema: Document) -> Document:
    options = schema.get("anyOf")
    if not isinstance(options, list) or {"type": "null"} not in options:
        return schema
    rest = [option for option in options if option != {"type": "null"}]
    others: Document = {key: value for key, value in schema.items() if key != "anyOf"} | {"nullable": True}
    if len(rest) > 1 or "$ref" in rest[0]:
        # A reference has no room for a word beside it.
        return others | {"anyOf" if len(rest) > 1 else "allOf": rest}
    others.update(rest[0])
    return others
