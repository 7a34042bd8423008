"""What goes wrong around tools, apart from what a tool tells its model.

Invalid  ScopeNotAllowed
"""

from __future__ import annotations

from homeport.kernel.errors import Invalid


class ScopeNotAllowed(Invalid):
    """This call may be approved once or for its run, not for always."""

    code = "approval.scope-not-allowed"
    title = "This call cannot be approved for always"
