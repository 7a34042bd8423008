"""The tools that every project has: Read Write Edit Glob Grep Bash."""

from homeport.tools.builtin.bash import Bash
from homeport.tools.builtin.edit import Edit
from homeport.tools.builtin.glob import Glob
from homeport.tools.builtin.grep import Grep
from homeport.tools.builtin.read import Read
from homeport.tools.builtin.write import Write
from homeport.tools.port import Tool


def builtin_tools() -> tuple[Tool, ...]:
    """One of each, in the order in which the model sees them."""
    return (Read(), Write(), Edit(), Glob(), Grep(), Bash())


__all__ = ["Bash", "Edit", "Glob", "Grep", "Read", "Write", "builtin_tools"]
