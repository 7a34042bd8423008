"""May this caller read this session? Asked in the snapshot in which its stream is opened."""

from __future__ import annotations

from functools import partial

from homeport.identity.access import Caller
from homeport.readers.stream.reader import Check
from homeport.sessions.access import session_for


def visible(caller: Caller, session_id: str) -> Check:
    """Refuses a session that is not the caller's, for `Reader.open`."""
    return partial(session_for, caller=caller, session_id=session_id)
