"""`homeport`, and `python -m homeport`."""

from __future__ import annotations

from homeport.cli.main import app


def main() -> None:
    """Runs the command line; the exit codes stand in `cli.exits`."""
    app()


if __name__ == "__main__":
    main()
