"""OpenAPI, made from the route table and the types of the bodies."""

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from api.auth import COOKIE
from api.endpoint import Endpoint
from shared.errors import Code

_PARAMETER = re.compile(r"\{(\w+)\}")
_REF = "#/components/schemas/{name}"


class Error(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was refused and why; ``field`` where one is to blame."""

    code: Code
    message: str
    field: str | None = None


class Refused(msgspec.Struct, frozen=True):
    """The body of every refusal."""

    error: Error


def describe(endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    """The whole document."""
    types = [kind for e in endpoints for kind in (e.takes, e.gives) if kind is not None]
    _, schemas = msgspec.json.schema_components([*types, Refused], ref_template=_REF)
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Millrace", "version": "2"},
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": _SCHEMES},
    }


_SCHEMES = {
    "key": {"type": "http", "scheme": "bearer"},
    "owner": {"type": "apiKey", "in": "cookie", "name": COOKIE},
}


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": endpoint.answer.__name__,
        "summary": endpoint.summary,
        "responses": {**_good(endpoint), "default": {"description": "refused", **_json(Refused)}},
    }
    names = [(name, "path") for name in _PARAMETER.findall(endpoint.path)]
    names += [(name, "query") for name in endpoint.asks]
    if names:
        operation["parameters"] = [
            {"name": name, "in": where, "required": where == "path", "schema": {"type": "string"}}
            for name, where in names
        ]
    if endpoint.takes is not None:
        operation["requestBody"] = {"required": True, **_json(endpoint.takes)}
    if endpoint.scope is not None:
        operation["description"] = f"Needs an owner, or a key with the scope `{endpoint.scope}`."
        operation["security"] = [{"key": []}, {"owner": []}]
    return operation


def _good(endpoint: Endpoint) -> dict[str, Any]:
    if endpoint.gives is None:
        status = 204 if endpoint.method == "DELETE" else 200
        return {str(status): {"description": "done"}}
    return {str(endpoint.status): {"description": endpoint.summary, **_json(endpoint.gives)}}


def _json(kind: Any) -> dict[str, Any]:
    (schema,), _ = msgspec.json.schema_components([kind], ref_template=_REF)
    return {"content": {"application/json": {"schema": schema}}}
