"""The `Idempotency-Key` header of routes that make something."""

from __future__ import annotations

from typing import Annotated

from fastapi import Header

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[\x21-\x7e]{1,255}$",
        description="Any word of the client's own, per user: for 24 hours a repeat of the same "
        "request makes nothing new and answers with what the first one made",
    ),
]
