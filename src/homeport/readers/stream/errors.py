"""What can go wrong in reading.

NotFound
└── EventNotFound    no event with this number
RateLimited
└── TooManyStreams   of one user, on this node
"""

from __future__ import annotations

from homeport.kernel.errors import NotFound, RateLimited


class EventNotFound(NotFound):
    """The stream has no event with this number."""

    code = "event.not-found"
    title = "No such event"


class TooManyStreams(RateLimited):
    """The user has as many streams and long-polls open as one may."""

    code = "stream.too-many"
    title = "Too many open streams: close one first"
