"""Answers in both spellings, for old clients that read camelCase; the contract lists only ours."""

from __future__ import annotations

from typing import Any, cast

from pydantic import (
    BaseModel,
    GetJsonSchemaHandler,
    SerializerFunctionWrapHandler,
    model_serializer,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema


class Twinned(BaseModel):
    """A model whose every member with an underscore is also sent in camelCase."""

    @model_serializer(mode="wrap")
    def _with_twins(self, handler: SerializerFunctionWrapHandler) -> Any:
        members: dict[str, Any] = handler(self)
        return members | {camel_case(name): value for name, value in members.items()}

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """The schema as if there were no twins: a serializer would hide every member."""
        return handler(_without_serializer(core_schema))


def camel_case(name: str) -> str:
    """`created_at` as `createdAt`."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _without_serializer(schema: CoreSchema) -> CoreSchema:
    plain = cast("dict[str, Any]", dict(schema))
    plain.pop("serialization", None)
    if isinstance(plain.get("schema"), dict):
        plain["schema"] = _without_serializer(plain["schema"])
    return cast("CoreSchema", plain)
