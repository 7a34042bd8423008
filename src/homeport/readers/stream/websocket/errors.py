"""What can go wrong on a WebSocket beside what can go wrong over HTTP.

RateLimited
├── TooManySockets         of one user, on this node
└── TooManySubscriptions   on one socket
Conflict
└── AlreadySubscribed      to this session, on this socket
NotFound
└── NotSubscribed          to this session, on this socket
"""

from __future__ import annotations

from homeport.kernel.errors import Conflict, NotFound, RateLimited


class TooManySockets(RateLimited):
    """The user has as many WebSockets open as one may."""

    code = "socket.too-many"
    title = "Too many WebSockets: close one first"


class TooManySubscriptions(RateLimited):
    """The socket follows as many sessions as one may."""

    code = "subscription.too-many"
    title = "Too many subscriptions: end one first"


class AlreadySubscribed(Conflict):
    """The socket follows this session already, and would get everything twice."""

    code = "subscription.exists"
    title = "This socket follows that session already"


class NotSubscribed(NotFound):
    """The socket does not follow this session."""

    code = "subscription.not-found"
    title = "This socket does not follow that session"
