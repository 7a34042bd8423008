"""Identifiers: UUIDv7 (RFC 9562), time-ordered, as 36-character lower-case strings."""

from __future__ import annotations

import re

import uuid_utils

UUID_PATTERN = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def new_id() -> str:
    """A fresh UUIDv7."""
    return str(uuid_utils.uuid7())


def is_id(text: str) -> bool:
    """Whether `text` is a UUID in the canonical lower-case form."""
    return UUID_PATTERN.fullmatch(text) is not None
