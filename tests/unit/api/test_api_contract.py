"""What the API says about itself is what it does."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from starlette.routing import Route

from api.app import ENDPOINTS, make_app
from api.openapi import describe
from api.query.vocabulary import DIMENSIONS, METRICS
from shared.errors import Code
from shared.settings import ApiSettings

DOCS = Path(__file__).parents[3] / "infrastructure" / "docs"


def _document() -> dict[str, Any]:
    described: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(describe(ENDPOINTS)))
    return described


def test_every_route_of_the_api_is_described() -> None:
    app = make_app(ApiSettings(postgres_url="postgresql://none"))
    routes = {
        (route.path, method.lower())
        for route in app.routes
        if isinstance(route, Route) and route.path.startswith(("/api/", "/v1/"))
        for method in (route.methods or set()) - {"HEAD"}
    }
    described = {
        (path, method) for path, operations in _document()["paths"].items() for method in operations
    }
    assert described == routes


def test_every_reference_in_the_description_leads_somewhere() -> None:
    document = _document()
    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert set(_references(document)) <= known


def test_operations_have_names_of_their_own() -> None:
    names = [
        operation["operationId"]
        for operations in _document()["paths"].values()
        for operation in operations.values()
    ]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("code", list(Code))
def test_every_error_code_is_explained(code: Code) -> None:
    headings = [
        line.removeprefix("## ").strip()
        for line in (DOCS / "errors.md").read_text().splitlines()
        if line.startswith("## ")
    ]
    assert headings.count(code) == 1


def test_nothing_else_is_explained_as_an_error_code() -> None:
    lines = (DOCS / "errors.md").read_text().splitlines()
    assert {line[3:].strip() for line in lines if line.startswith("## ")} == set(Code)


@pytest.mark.parametrize("name", [*METRICS, *DIMENSIONS])
def test_every_metric_and_dimension_is_documented(name: str) -> None:
    text = (DOCS / "api.md").read_text() + (DOCS / "numbers.md").read_text()
    assert f"`{name}`" in text


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda e: f"{e.method} {e.path}")
def test_every_endpoint_is_documented(endpoint: Any) -> None:
    assert f"`{endpoint.method} {endpoint.path}`" in (DOCS / "api.md").read_text()


def _references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [ref for part in value.values() for ref in _references(part)]
    if isinstance(value, list):
        return [ref for part in value for ref in _references(part)]
    return []
