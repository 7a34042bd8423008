"""Says in words what keeps a JSON document from fitting a schema, without repeating its values."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any, cast

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError
from referencing import Registry as References
from referencing.exceptions import Unresolvable

MAX_PROBLEMS = 3
MAX_MESSAGE = 200
# jsonschema would fetch a remote `$ref`: a foreign tool's schema must not make the server call.
NOTHING_REMOTE: References[Any] = References()
BOUNDS = {
    "minimum": "must be at least {}",
    "maximum": "must be at most {}",
    "exclusiveMinimum": "must be more than {}",
    "exclusiveMaximum": "must be less than {}",
    "minLength": "must have at least {} characters",
    "maxLength": "must have at most {} characters",
    "minItems": "must have at least {} items",
    "maxItems": "must have at most {} items",
    "type": "must be of type {}",
    "const": "must be {}",
    "enum": "must be one of {}",
}


def flaw(schema: Mapping[str, Any]) -> str | None:
    """Why `schema` is no JSON Schema (2020-12); None when it is one."""
    try:
        Draft202012Validator.check_schema(dict(schema))
    except SchemaError as error:
        return error.message[:MAX_MESSAGE]
    return None


def problems(schema: Mapping[str, Any], document: dict[str, Any]) -> list[str]:
    """What is wrong with `document`, at most three sentences; values may be megabytes."""
    validator = Draft202012Validator(dict(schema), registry=NOTHING_REMOTE)
    try:
        return [_sentence(error) for error in islice(_errors(validator, document), MAX_PROBLEMS)]
    except Unresolvable:
        return ["its schema points to a document that is not at hand"]


def _errors(validator: Draft202012Validator, document: dict[str, Any]) -> Any:
    return validator.iter_errors(document)  # pyright: ignore[reportUnknownMemberType]


def _sentence(error: ValidationError) -> str:
    place = ".".join(str(step) for step in error.absolute_path)
    rule, wanted = str(error.validator), cast("Any", error.validator_value)  # pyright: ignore[reportUnknownMemberType]
    if rule == "required":
        missing = [name for name in wanted if name not in cast("dict[str, Any]", error.instance)]
        return f"{_named(missing)} {'is' if len(missing) == 1 else 'are'} missing"
    if rule == "additionalProperties" and wanted is False:
        known = cast("dict[str, Any]", error.schema).get("properties", {})
        unknown = [name for name in cast("dict[str, Any]", error.instance) if name not in known]
        return f"there is no {_named(unknown)}, only {_named(list(known))}"
    if rule in BOUNDS:
        return f"{place or 'it'} {BOUNDS[rule].format(_shown(wanted))}"
    return f"{place or 'it'} breaks the rule {rule!r}"


def _named(names: list[str]) -> str:
    return ", ".join(repr(name) for name in names)[:MAX_MESSAGE]


def _shown(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(str(one) for one in cast("list[object]", value))[:MAX_MESSAGE]
    return str(value)[:MAX_MESSAGE]
