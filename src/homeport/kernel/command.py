"""The command that this process was called by, for sentences that tell people what to type."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path


def this_command() -> str:
    """It, as it can be typed where it was typed."""
    called = sys.argv[0]
    if Path(called).name == "__main__.py":
        return f"{shlex.quote(sys.executable)} -m homeport"
    return "homeport" if shutil.which("homeport") == called else shlex.quote(called)
