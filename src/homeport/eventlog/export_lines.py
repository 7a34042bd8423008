"""The lines of an export: JSON, one record each, in exactly one spelling.

    export                     what the file holds, and from where on
    seal (sealed_head ...) ... the seals, each with the heads that it sealed
    stream (event ...) ...     every stream, with its events in order
    end                        how many lines there were, and the SHA-256 of them

Digests, keys and signatures are hex, salts and payloads base64, moments milliseconds since 1970.
"""

from __future__ import annotations

import base64
from typing import Annotated, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, PlainValidator, TypeAdapter

from homeport.eventlog.chain import Stored
from homeport.eventlog.seal import Seal
from homeport.kernel.errors import Invalid

FORMAT = 1


class BadLine(Invalid):
    """A line is none of an export."""

    code = "audit.bad-export"
    title = "This is not a line of an export"


def _from_hex(value: object) -> bytes:
    return value if isinstance(value, bytes) else bytes.fromhex(_text(value))


def _from_base64(value: object) -> bytes:
    return value if isinstance(value, bytes) else base64.b64decode(_text(value), validate=True)


def _text(value: object) -> str:
    if not isinstance(value, str):
        message = "bytes are written as text"
        raise ValueError(message)  # noqa: TRY004  # what pydantic takes for a refusal
    return value


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


Hex = Annotated[bytes, PlainValidator(_from_hex), PlainSerializer(bytes.hex)]
Base64 = Annotated[bytes, PlainValidator(_from_base64), PlainSerializer(_base64)]


class _Record(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


Moment = Annotated[int, Field(ge=-62_135_596_800_000, le=253_402_300_799_000)]
"""What a calendar can tell: the years 1 to 9999."""


class ExportLine(_Record):
    """The first line.

    Attributes:
        at: When it was made.
        stream: The only one that is in it; None for all.
        since: What was appended before is left out; None for nothing.
        position: Every event of the log up to here was looked at.
        first_seal: The first seal that is in it.
    """

    type: Literal["export"] = "export"
    format: int = FORMAT
    at: int
    stream: str | None
    since: Moment | None
    position: int
    first_seal: int


class SealLine(_Record):
    """A seal, as it stands in an anchor file."""

    type: Literal["seal"] = "seal"
    id: int
    at: int
    position: int
    heads: int
    root: Hex
    previous: Hex
    key: Hex
    signature: Hex

    def seal(self) -> Seal:
        """The seal."""
        numbers = (self.id, self.at, self.position, self.heads)
        return Seal(*numbers, self.root, self.previous, self.key, self.signature)


class SealedHeadLine(_Record):
    """A head that the seal before it sealed."""

    type: Literal["sealed_head"] = "sealed_head"
    stream: str
    seq: int
    hash: Hex


class StreamLine(_Record):
    """A stream, which begins behind the event `after` with the hash `previous`."""

    type: Literal["stream"] = "stream"
    stream: str
    after: int
    previous: Hex
    head_seq: int
    head_hash: Hex


class EventLine(_Record):
    """An event; `erased` when salt and payload are gone."""

    type: Literal["event"] = "event"
    stream: str
    position: int
    seq: int
    kind: str
    version: int
    at: int
    actor: str
    bounds: str | None
    payload_digest: Hex
    hash: Hex
    salt: Base64 | None
    payload: Base64 | None
    erased: bool

    def stored(self) -> Stored:
        """The event, as the chain judges it."""
        header = (self.kind, self.version, self.at, self.actor, self.bounds)
        place = (self.stream, self.position, self.seq)
        return Stored(*place, *header, self.payload_digest, self.hash, self.salt, self.payload)


class EndLine(_Record):
    """The last line: the number of lines before it, and their SHA-256."""

    type: Literal["end"] = "end"
    lines: int
    digest: Hex


Line = ExportLine | SealLine | SealedHeadLine | StreamLine | EventLine | EndLine
_LINE: TypeAdapter[Line] = TypeAdapter(Annotated[Line, Field(discriminator="type")])


def encode(line: Line) -> bytes:
    """The line with its line feed."""
    return orjson.dumps(line.model_dump(), option=orjson.OPT_APPEND_NEWLINE)


def decode(raw: bytes) -> Line:
    """The record in a line, with its line feed.

    Raises:
        BadLine: It is none, or it is spelled in another way than `encode` spells it.
    """
    try:
        line = _LINE.validate_json(raw)
        spelled = encode(line)
    except (ValueError, TypeError) as error:
        raise BadLine("A line of the file is no record of an export.") from error
    if spelled != raw:
        raise BadLine("A line of the file is spelled in another way than an export's.")
    return line
