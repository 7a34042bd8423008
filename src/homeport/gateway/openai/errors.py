"""What this wire can ask for and does not get.

Invalid
├── Unsupported        a member that no model here can honour
└── BadMessages        the messages do not make a conversation
"""

from __future__ import annotations

from homeport.kernel.errors import Invalid


class Unsupported(Invalid):
    """A member of the request that cannot be honoured; `param` names it."""

    code = "chat.unsupported"
    title = "This is not supported"


class BadMessages(Invalid):
    """The messages do not make a conversation; `param` names the place."""

    code = "chat.bad-messages"
    title = "These messages cannot be sent to a model"
