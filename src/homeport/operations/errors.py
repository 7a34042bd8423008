"""Why a server says no to the one who watches it."""

from __future__ import annotations

from homeport.kernel.errors import Unavailable


class NotReady(Unavailable):
    """A component fails, or the server is about to end."""

    code = "server.not-ready"
    title = "This server does not take work now"
