"""Facts of a session's life."""

from __future__ import annotations

from typing import Any, ClassVar

from homeport.eventlog.catalogue.base import Event


class SessionCreated(Event):
    """Somebody started a conversation."""

    kind: ClassVar[str] = "session.created"
    session_id: str
    user_id: str
    project_id: str | None
    name: str
    model: str
    system_prompt: str | None = None
    permission_mode: str
    metadata: dict[str, Any] = {}


class SessionForked(Event):
    """The session begins with a copy of another one up to `at`, a cursor of that one.

    What follows is the copy, under ids of its own; it used no tokens, for those were paid there.
    """

    kind: ClassVar[str] = "session.forked"
    session_id: str
    from_session_id: str
    at: str


class SessionUpdated(Event):
    """Its settings changed; `changes` holds the new values."""

    kind: ClassVar[str] = "session.updated"
    session_id: str
    changes: dict[str, Any]


class SessionCleared(Event):
    """The agent forgets what was said before; the log keeps it."""

    kind: ClassVar[str] = "session.cleared"
    session_id: str


class SessionArchived(Event):
    """Put away; it takes no messages until it is made active again."""

    kind: ClassVar[str] = "session.archived"
    session_id: str


class SessionDeleted(Event):
    """Gone from every list; nobody reads it any more."""

    kind: ClassVar[str] = "session.deleted"
    session_id: str
