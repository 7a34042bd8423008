"""What can go wrong with a conversation.

NotFound
├── SessionNotFound      absent, deleted, or somebody else's
├── MessageNotFound      it was there, and the session was cleared since
├── RunNotFound          absent, or in somebody else's session
└── ApprovalNotFound     absent, or somebody else's
Conflict
├── SessionArchived      put away; make it active first
├── SessionBusy          a run is unfinished
├── MessageRepeated      the same client_message_id with another content
├── RunOver              it has ended already
├── RunNotLast           something was said since; only the last run is retried
└── ApprovalDecided      somebody answered first; the answer is told
Forbidden
└── ModeNotAllowed       the operator does not offer this permission mode
Invalid
└── EmptyMessage         nothing was said
TooLarge
└── ForkTooLarge         more than one transaction should copy
"""

from __future__ import annotations

from homeport.kernel.errors import Conflict, Forbidden, Invalid, NotFound, TooLarge


class SessionNotFound(NotFound):
    """Absent, deleted, or somebody else's: the three are told alike."""

    code = "session.not-found"
    title = "Session not found"


class MessageNotFound(NotFound):
    """It was taken, and the session was cleared since."""

    code = "message.not-found"
    title = "Message not found"


class RunNotFound(NotFound):
    """Absent, or in somebody else's session."""

    code = "run.not-found"
    title = "Run not found"


class ApprovalNotFound(NotFound):
    """Absent, or somebody else's."""

    code = "approval.not-found"
    title = "Approval not found"


class SessionArchived(Conflict):
    """Put away: it takes no messages until its status is active again."""

    code = "session.archived"
    title = "The session is archived"


class SessionBusy(Conflict):
    """A run is unfinished, and the caller asked not to wait."""

    code = "session.busy"
    title = "The session is at work"


class MessageRepeated(Conflict):
    """The `client_message_id` was used for another content."""

    code = "message.repeated"
    title = "This client_message_id belongs to another message"


class RunOver(Conflict):
    """The run has ended already."""

    code = "run.over"
    title = "The run is over"


class RunNotLast(Conflict):
    """Something was said since; only the last run of a session is retried."""

    code = "run.not-last"
    title = "The run is not the last one"


class ApprovalDecided(Conflict):
    """Somebody answered first; the document carries that answer."""

    code = "approval.decided"
    title = "This was answered already"


class ModeNotAllowed(Forbidden):
    """The operator does not offer this permission mode."""

    code = "session.mode-not-allowed"
    title = "This permission mode is not offered here"


class EmptyMessage(Invalid):
    """Nothing was said."""

    code = "message.empty"
    title = "The message is empty"


class ForkTooLarge(TooLarge):
    """The conversation is more than one transaction should copy."""

    code = "session.fork-too-large"
    title = "The session is too large to be forked"
