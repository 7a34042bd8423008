"""What is asked and answered about tickets."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer

from homeport.identity.tickets import Ticket
from homeport.kernel.clock import rfc3339


class NewTicket(BaseModel):
    """What the ticket is to open."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    session_id: str | None = Field(
        None, description="The session to follow; without it the ticket opens `/v1/ws`"
    )


class TicketView(BaseModel):
    """A ticket, shown once."""

    ticket: str = Field(description="Send it as `?ticket=`: once, within 30 s, from this origin")
    expires_at: Annotated[datetime, PlainSerializer(rfc3339, return_type=str, when_used="json")]

    @classmethod
    def of(cls, ticket: Ticket) -> TicketView:
        """The view of a fresh ticket."""
        return cls(ticket=ticket.text, expires_at=ticket.expires_at)
