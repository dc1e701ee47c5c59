"""The OpenAPI document: written beside the routes, made from the models, offered as 3.1 and as 3.0."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from serving.answers import ErrorAnswer
from serving.contract import BatchRequest, ScoreRequest

Document = dict[str, Any]

_REF = "#/components/schemas/{model}"
_ABOUT = """How likely a lead is to become a prospect, and a prospect an opportunity, each within a stated time, why, and what to do next.
Times are ISO-8601, UTC where no zone is given. Every refusal is `{"error": ..., "detail": ...}`."""
SCORE_EXAMPLE = {
    "lead": {"lead_id": "L-1", "created_at": "2026-11-02T08:30:00Z", "job_title": "Head of Procurement", "country": "SE"},
    "account": {"industry": "manufacturing", "employees": 800},
    "events": [
        {"occurred_at": "2026-11-18T14:05:00Z", "type": "pricing_page_view"},
        {"occurred_at": "2026-11-20T09:12:00Z", "type": "email_reply", "channel": "email"},
    ],
}
KEYED = {401: "No key, or not a living one", 403: "The key lacks the scope"}
_POSTED = KEYED | {413: "The body is too large", 422: "The body is malformed", 503: "No model serves yet"}
REASONS = {
    "name": "reasons",
    "in": "query",
    "required": False,
    "description": "`all` lists every reason; by default the five strongest each way.",
    "schema": {"type": "string", "enum": ["top", "all"], "default": "top"},
}
UNLISTED: Mapping[str, Any] = {"include_in_schema": False}


def called(id: str, summary: str, answer: type[BaseModel], refusals: Mapping[int, str], **extra: Any) -> dict[str, Any]:
    """What the contract says of a call without a body; `extra` goes into the operation as it is."""
    responses = {200: {"model": answer, "description": "OK"}} | {s: {"model": ErrorAnswer, "description": text} for s, text in refusals.items()}
    keyed: dict[str, Any] = {"security": [{"key": []}]} if 401 in refusals else {"security": []}
    return {"summary": summary, "operation_id": id, "responses": responses, "openapi_extra": keyed | extra}


def posted(id: str, summary: str, asked: type[BaseModel], answer: type[BaseModel], example: Any, **extra: Any) -> dict[str, Any]:
    """The same of a call with a JSON body."""
    content = {"schema": {"$ref": _REF.format(model=asked.__name__)}, "example": example}
    body = {"required": True, "content": {"application/json": content}}
    return called(id, summary, answer, _POSTED, requestBody=body, **extra)


@lru_cache(maxsize=1)
def openapi_3_1(app: FastAPI) -> Document:
    """The contract of the service as OpenAPI 3.1."""
    document = get_openapi(title="leadscore", version=app.version, description=_ABOUT, routes=app.routes)
    _, asked = models_json_schema([(ScoreRequest, "validation"), (BatchRequest, "validation")], ref_template=_REF)
    components = document["components"]
    components["schemas"] = dict(sorted((components["schemas"] | asked["$defs"]).items()))
    components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer", "description": "`leadscore keys create` makes one."}}
    not_ready = {"description": "Not ready", "content": {"application/json": {"schema": {"$ref": _REF.format(model="Readiness")}}}}
    document["paths"]["/readyz"]["get"]["responses"]["503"] = not_ready
    return document


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
    others = {key: value for key, value in schema.items() if key != "anyOf"} | {"nullable": True}
    return others | ({"anyOf": rest} if len(rest) > 1 else rest[0])
