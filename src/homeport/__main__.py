"""`homeport`, and `python -m homeport`."""

from __future__ import annotations

import sys

from homeport.cli.collecting import nothing_collected


def main() -> None:
    """Runs the command line; the exit codes stand in `cli.exits`."""
    with nothing_collected():
        from homeport.cli.main import app
    app()


if __name__ == "__main__":
    if not sys.flags.safe_path:
        del sys.path[0]  # the working directory: it may be a workspace, and much is imported late
    main()
