"""The page of the API, made from its OpenAPI document: one HTML text, nothing fetched from elsewhere."""

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 56rem; margin: 2rem auto; padding: 0 1rem; color: #1c2430; }
code, pre { font: 14px/1.45 ui-monospace, monospace; background: #f2f4f7; border-radius: 4px; }
code { padding: 0 .25em; } pre { padding: .8rem; overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
td { vertical-align: top; padding: .25rem .6rem .25rem 0; border-bottom: 1px solid #dde2e8; }
h2 { margin-top: 2.5rem; } h2 b { color: #0a5; } a { color: #0a58ca; }
@media (prefers-color-scheme: dark) {
body { background: #14181f; color: #dce3ec; } code, pre { background: #222a35; } td { border-color: #333d4b; } a { color: #7db3ff; }
}
"""
_PLACED = {"path": "{{{}}}", "query": "?{}=", "header": "{}:"}
Document = Mapping[str, Any]


def reference_page(document: Document) -> str:
    """Every call with its curl, answers and refusals, then every object with its fields."""
    info = document["info"]
    calls = [_call(path, method, call) for path, methods in document["paths"].items() for method, call in methods.items()]
    objects = [_object(name, schema) for name, schema in document["components"]["schemas"].items()]
    return "".join(
        [
            '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">',
            f"<title>{escape(info['title'])} API</title>",
            f"<style>{_STYLE}</style><h1>{escape(info['title'])} API, version {escape(info['version'])}</h1><p>{escape(info['description'])}</p>",
            '<p>As a document: <a href="/openapi.json">OpenAPI 3.1</a>, <a href="/openapi-3.0.json">OpenAPI 3.0</a>.</p>',
            *calls,
            "<h1>Objects</h1>",
            *objects,
            "</html>",
        ]
    )


def _call(path: str, method: str, call: Document) -> str:
    answers = "".join(
        f"<tr><td><code>{status}</code></td><td>{escape(answer['description'])}</td><td>{_type(_schema_of(answer))}</td></tr>"
        for status, answer in call["responses"].items()
    )
    parameters = "".join(
        f"<p><code>{_PLACED[p['in']].format(escape(p['name']))}</code> {escape(p['description'])}</p>" for p in call.get("parameters", ())
    )
    return (
        f"<h2><b>{method.upper()}</b> <code>{escape(path)}</code></h2><p>{escape(call['summary'])}. {_body(call)}</p>{parameters}"
        f"<pre>{escape(_curl(path, method, call))}</pre><table>{answers}</table>"
    )


def _body(call: Document) -> str:
    return f"Body: {_type(_schema_of(call['requestBody']))}." if "requestBody" in call else ""


def _schema_of(part: Document) -> Document:
    schema: Document = part.get("content", {}).get("application/json", {}).get("schema", {})
    return schema


def _curl(path: str, method: str, call: Document) -> str:
    key = " -H 'Authorization: Bearer KEY'" if call.get("security") else ""
    line = f"curl{key} http://localhost:8000{path}"
    if "requestBody" not in call:
        return line
    example = json.dumps(call["requestBody"]["content"]["application/json"]["example"], indent=1)
    return f"{line} -X {method.upper()} -H 'Content-Type: application/json' -d '{example}'"


def _object(name: str, schema: Document) -> str:
    required = schema.get("required", ())
    rows = "".join(
        f"<tr><td><code>{escape(field)}</code></td><td>{_type(kind)}</td><td>{'required' if field in required else ''}</td></tr>"
        for field, kind in schema.get("properties", {}).items()
    )
    return f'<h2 id="{escape(name)}">{escape(name)}</h2><p>{escape(schema.get("description", ""))}</p><table>{rows}</table>'


def _type(schema: Document) -> str:
    return " or ".join(dict.fromkeys(_types(schema)))


def _types(schema: Document) -> Iterator[str]:
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        yield f'<a href="#{name}">{name}</a>'
    elif "anyOf" in schema:
        for option in schema["anyOf"]:
            yield from _types(option)
    elif schema.get("type") == "array":
        yield f"list of {_type(schema['items'])}"
    elif "enum" in schema:
        yield " or ".join(f"<code>{escape(str(value))}</code>" for value in schema["enum"])
    elif schema:
        yield escape(schema.get("format", schema.get("type", "anything")))
