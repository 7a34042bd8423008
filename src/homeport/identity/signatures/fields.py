"""Reads `Signature-Input` and `Signature` (RFC 9421 section 4) as structured fields (RFC 9651)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, cast

import http_sf

from homeport.identity.signatures.errors import SignatureRefused
from homeport.identity.signatures.message import Message

TAG: Final = "homeport-v1"
LONGEST_FIELD: Final = 8_192
MOST_SIGNATURES: Final = 4
MOST_COMPONENTS: Final = 32


@dataclass(frozen=True, slots=True)
class Presented:
    """A signature that nobody has checked yet.

    Attributes:
        components: What it covers, in its order.
        parameters: `created`, `nonce` and so on.
        described: Both as one line: the value of `@signature-params`.
    """

    components: tuple[str, ...]
    parameters: dict[str, Any]
    described: str
    signature: bytes

    def base(self, message: Message) -> bytes:
        """What was signed (section 2.5).

        Raises:
            SignatureRefused: The request lacks something that is covered.
        """
        lines = [f'"{name}": {message.component(name)}' for name in self.components]
        return "\n".join([*lines, f'"@signature-params": {self.described}']).encode("ascii")


def presented(message: Message, *, tag: str | None = TAG) -> list[Presented]:
    """The signatures with our tag; those for others are passed over.

    Raises:
        SignatureRefused: A field is malformed or too long, or says something that is not taken.
    """
    described, signatures = (dictionary(message, name) for name in ("signature-input", "signature"))
    if len(described) > MOST_SIGNATURES:
        raise SignatureRefused(f"A request carries {MOST_SIGNATURES} signatures at most.")
    found: list[Presented] = []
    for label, (covered, parameters) in described.items():
        if parameters.get("tag") != tag:
            continue
        signature = signatures.get(label, (None, {}))[0]
        if not isinstance(covered, list) or not isinstance(signature, bytes):
            raise SignatureRefused("Signature-Input and Signature do not belong together.")
        items = cast("list[tuple[object, dict[str, Any]]]", covered)
        line = http_sf.ser([(covered, parameters)])
        found.append(Presented(_names(items), parameters, line, signature))
    return found


def dictionary(message: Message, name: str) -> dict[str, tuple[Any, dict[str, Any]]]:
    """A header as a dictionary in which every key stands once; empty when there is none.

    Raises:
        SignatureRefused: It is none, or too long.
    """
    value = message.field(name)
    if value is None:
        return {}
    if len(value) > LONGEST_FIELD:
        raise SignatureRefused(f"The field {name!r} is too long.")
    try:
        parsed = http_sf.parse(
            value.encode("latin-1"), tltype="dictionary", on_duplicate_key=_refuse_twice
        )
    except http_sf.StructuredFieldError:
        raise SignatureRefused(f"The field {name!r} is no structured dictionary.") from None
    return cast("dict[str, tuple[Any, dict[str, Any]]]", parsed)


def _names(items: list[tuple[object, dict[str, Any]]]) -> tuple[str, ...]:
    names: list[str] = []
    for name, parameters in items:
        if type(name) is not str or name != name.lower() or parameters:
            raise SignatureRefused("A component is a name in lower case, without parameters.")
        names.append(name)
    if len(set(names)) != len(names) or len(names) > MOST_COMPONENTS:
        raise SignatureRefused("A component is covered once, and there are 32 at most.")
    return tuple(names)


def _refuse_twice(key: str, context: str) -> None:
    raise SignatureRefused(f"{key!r} stands twice in a {context}.")
