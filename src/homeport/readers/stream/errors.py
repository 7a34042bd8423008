"""What can go wrong in reading.

NotFound
└── EventNotFound    no event with this number
RateLimited
└── TooManyStreams   of one user, on this node
Unavailable
└── ServerDraining   nothing is waited for here any more
"""

from __future__ import annotations

from homeport.kernel.errors import NotFound, RateLimited, Unavailable


class EventNotFound(NotFound):
    """The stream has no event with this number."""

    code = "event.not-found"
    title = "No such event"


class TooManyStreams(RateLimited):
    """The user has as many streams and long-polls open as one may."""

    code = "stream.too-many"
    title = "Too many open streams: close one first"


class ServerDraining(Unavailable):
    """A long-poll came when the server was about to go, and there was nothing to tell."""

    code = "server.draining"
    title = "The server is about to go: come back in a moment, with the same cursor"
