"""The published contract: FastAPI's document, with our one error document on every operation."""

from __future__ import annotations

from typing import Any, cast

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic.json_schema import models_json_schema

from homeport.kernel.http.documents import MEDIA_TYPE, ErrorDocument

REFERENCE = "#/components/schemas/{model}"
FRAMEWORK_SCHEMAS = ("HTTPValidationError", "ValidationError")


def operation_id(route: APIRoute) -> str:
    """A stable name for generated clients: the first tag, then the function."""
    return f"{route.tags[0]}_{route.name}" if route.tags else route.name


def describe(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document of `app`; kept by FastAPI after the first call."""
    if app.openapi_schema:
        return app.openapi_schema
    document = get_openapi(
        title=app.title,
        version=app.version,
        description=app.description,
        routes=app.routes,
    )
    _add_error_document(document)
    app.openapi_schema = document
    return document


def _add_error_document(document: dict[str, Any]) -> None:
    components: dict[str, Any] = document.setdefault("components", {})
    schemas: dict[str, Any] = components.setdefault("schemas", {})
    for name in FRAMEWORK_SCHEMAS:
        schemas.pop(name, None)
    _, made = models_json_schema([(ErrorDocument, "serialization")], ref_template=REFERENCE)
    schemas.update(cast("dict[str, Any]", made["$defs"]))
    components["schemas"] = dict(sorted(schemas.items()))
    components["responses"] = {
        "Error": {
            "description": "Any failure, as an RFC 9457 problem document",
            "content": {MEDIA_TYPE: {"schema": {"$ref": REFERENCE.format(model="ErrorDocument")}}},
        }
    }
    for path in document.get("paths", {}).values():
        for operation in path.values():
            _declare_failures(operation)


def _declare_failures(operation: dict[str, Any]) -> None:
    responses: dict[str, Any] = operation["responses"]
    validation = responses.get("422", {}).get("content", {}).get("application/json", {})
    if validation.get("schema", {}).get("$ref", "").endswith("/HTTPValidationError"):
        del responses["422"]
    responses.setdefault("default", {"$ref": "#/components/responses/Error"})
