"""What can go wrong around a command.

HomeportError
├── Unavailable
│   ├── SandboxUnavailable   no rung that was asked for holds on this machine
│   └── SandboxFailed        the box could not be set up this time
├── Invalid
│   └── CommandRefused       the command asks for what no box gives
└── NotFound
    └── WorkspaceMissing     the workspace is not a directory
"""

from __future__ import annotations

from homeport.kernel.errors import Invalid, NotFound, Unavailable


class SandboxUnavailable(Unavailable):
    """No rung that was asked for holds here; the detail names the command that fixes it."""

    code = "sandbox.unavailable"
    title = "Commands cannot be run safely on this machine"


class SandboxFailed(Unavailable):
    """The box could not be set up; nothing was run."""

    code = "sandbox.failed"
    title = "The sandbox could not be set up"


class CommandRefused(Invalid):
    """The command asks for what no box gives."""

    code = "sandbox.command-refused"
    title = "This command is not run"


class WorkspaceMissing(NotFound):
    """The workspace is not a directory."""

    code = "sandbox.workspace-missing"
    title = "The workspace does not exist"
