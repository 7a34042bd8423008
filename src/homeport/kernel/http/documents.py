"""The error document: RFC 9457 with the `error` member that clients of OpenAI read."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class ErrorDetail(BaseModel):
    """One fault of a payload."""

    loc: list[str | int] = Field(description="Where: `body`, `query` or `path`, then the way down")
    message: str
    type: str = Field(description="A stable word for the kind of fault")


class ErrorMember(BaseModel):
    """The shape that OpenAI's and Anthropic's clients look for."""

    code: str
    type: str
    message: str
    status: int
    param: str | None
    details: list[ErrorDetail]


class ErrorDocument(BaseModel):
    """What every answer outside 2xx says; some errors add members of their own."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=["urn:homeport:error:session.not-found"])
    title: str
    status: int
    detail: str
    instance: str
    request_id: str
    error: ErrorMember


MEDIA_TYPE = "application/problem+json"
