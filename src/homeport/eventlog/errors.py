"""What can go wrong in the log.

Conflict
├── MessageFenced   the writer's lease is in doubt; somebody else may be writing
├── MessageOpen     a message is being written, and cannot be erased
└── CursorAhead     (cursor.py)
Invalid
└── BadCursor       (cursor.py)
NotFound
├── StreamNotFound  nothing was ever appended to it
└── Gone
    ├── CursorErased    (cursor.py)
    └── PayloadErased   what an event said is gone
"""

from __future__ import annotations

from homeport.kernel.errors import Conflict, Gone, NotFound


class MessageFenced(Conflict):
    """The writer's lease is in doubt: it neither shows nor stores anything more."""

    code = "message.fenced"
    title = "Another writer may have taken over"


class MessageOpen(Conflict):
    """A message is being written, and what is not there yet cannot be erased."""

    code = "message.open"
    title = "A message is being written"


class StreamNotFound(NotFound):
    """Nothing was ever appended to this stream."""

    code = "stream.not-found"
    title = "No such stream"


class PayloadErased(Gone):
    """What the event said is gone; that it happened is not."""

    code = "event.erased"
    title = "What this event said was erased"
