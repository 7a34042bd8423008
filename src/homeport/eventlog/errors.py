"""What can go wrong in the log.

Conflict
├── MessageFenced   the writer's lease is in doubt; somebody else may be writing
└── CursorAhead     (cursor.py)
Invalid
└── BadCursor       (cursor.py)
NotFound
└── StreamNotFound  nothing was ever appended to it
"""

from __future__ import annotations

from homeport.kernel.errors import Conflict, NotFound


class MessageFenced(Conflict):
    """The writer's lease is in doubt: it neither shows nor stores anything more."""

    code = "message.fenced"
    title = "Another writer may have taken over"


class StreamNotFound(NotFound):
    """Nothing was ever appended to this stream."""

    code = "stream.not-found"
    title = "No such stream"
