"""What can go wrong in reading.

NotFound
└── EventNotFound   no event with this number
"""

from __future__ import annotations

from homeport.kernel.errors import NotFound


class EventNotFound(NotFound):
    """The stream has no event with this number."""

    code = "event.not-found"
    title = "No such event"
