"""Reads a body that comes as JSON or as OAuth 2's form: a FastAPI parameter takes one."""

from __future__ import annotations

from typing import Any, Final, TypeVar

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from homeport.kernel.errors import Unprocessable, UnsupportedMedia

_JSON: Final = "application/json"
_NAMED: Final = f"Content-Type: {_JSON}"
_FORM: Final = "application/x-www-form-urlencoded"
_MAX_FIELDS: Final = 16
J = TypeVar("J", bound=BaseModel)
F = TypeVar("F", bound=BaseModel)


def described(json: type[BaseModel], form: type[BaseModel]) -> dict[str, Any]:
    """What the contract says about such a body."""
    return {
        "requestBody": {
            "required": True,
            "content": {
                _JSON: {"schema": json.model_json_schema()},
                _FORM: {"schema": form.model_json_schema()},
            },
        }
    }


async def json_or_form(request: Request, *, json: type[J], form: type[F]) -> J | F:
    """The body of `request`, by its content type.

    Raises:
        RequestValidationError: It does not fit its schema.
        Unprocessable: The form has a field that is not known, or one twice.
        UnsupportedMedia: It is neither JSON nor a form.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if kind == _JSON:
            return json.model_validate_json(await request.body())
        if kind == _FORM:
            return form.model_validate(await _fields(request))
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        if kind == _FORM and any(fault["type"] == "extra_forbidden" for fault in faults):
            # JSON that is sent as a form is one field, whose name is all of it
            raise Unprocessable(f"The form has unknown fields. JSON needs {_NAMED}.") from None
        raise RequestValidationError(
            [{**fault, "loc": ("body", *fault["loc"])} for fault in faults]
        ) from None
    raise UnsupportedMedia(f"Send {_JSON} or {_FORM}.")


async def _fields(request: Request) -> dict[str, Any]:
    async with request.form(max_fields=_MAX_FIELDS) as form:
        fields = form.multi_items()
    found = dict(fields)
    if len(found) != len(fields):
        raise Unprocessable("A field of the form stands twice.")
    return found
