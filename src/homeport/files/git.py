"""Runs git in the sandbox, on a private git directory, with every way to start a program closed."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from homeport.files.content import as_text
from homeport.files.errors import CheckpointFailed
from homeport.sandbox.port import Command, Limits, Outcome, Sandbox

LISTING_BYTES = 64 << 20
NO_PROGRAMS = (
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "core.attributesFile=/dev/null",
    "-c",
    "core.sshCommand=false",
    "-c",
    "diff.external=",
    "-c",
    "commit.gpgSign=false",
)
NAME, MAIL = "Homeport", "homeport@localhost"
ENVIRONMENT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_AUTHOR_NAME": NAME,
    "GIT_AUTHOR_EMAIL": MAIL,
    "GIT_COMMITTER_NAME": NAME,
    "GIT_COMMITTER_EMAIL": MAIL,
    "LC_ALL": "C",
}


@dataclass(frozen=True, slots=True)
class Git:
    """git for one workspace.

    Args:
        sandbox: Where it runs.
        root: The workspace.
        directory: The private git directory.
        seconds: Wall clock of one git process.
    """

    sandbox: Sandbox
    root: Path
    directory: Path
    seconds: float = 300.0
    limits: Limits = field(init=False)

    def __post_init__(self) -> None:
        """Derives the limits."""
        limits = Limits(wall_s=self.seconds, output_bytes=LISTING_BYTES)
        object.__setattr__(self, "limits", limits)

    async def run(
        self,
        *arguments: str,
        index: Path,
        stdin: bytes = b"",
        writes: bool = False,
    ) -> bytes:
        """The whole standard output of one git command.

        Args:
            arguments: Subcommand and options; names of files go through `stdin`.
            index: The index file.
            stdin: What it reads.
            writes: It changes the workspace; else the workspace is bound read-only.

        Raises:
            CheckpointFailed: git is missing, failed, was ended by a limit, or wrote too much.
        """
        outcome = await self.execute(
            *arguments, index=index, stdin=stdin, writes=writes, limits=self.limits
        )
        if outcome.exit_code == 127:
            raise CheckpointFailed("git is not installed where commands run.")
        if outcome.exit_code != 0 or outcome.truncated:
            raise CheckpointFailed(f"git {arguments[0]}: {_reason(outcome)}")
        return outcome.stdout

    async def execute(
        self, *arguments: str, index: Path, stdin: bytes, writes: bool, limits: Limits
    ) -> Outcome:
        """One git command, judged by the caller."""
        environment = ENVIRONMENT | {
            "GIT_DIR": str(self.directory),
            "GIT_WORK_TREE": str(self.root),
            "GIT_INDEX_FILE": str(index),
        }
        return await self.sandbox.run(
            Command(
                argv=("git", *NO_PROGRAMS, *arguments),
                workspace=self.root,
                env=environment,
                stdin=stdin,
                limits=limits,
                writable=(self.directory,),
                workspace_read_only=not writes,
                protect=False,  # nothing but git runs, and it restores what was there before
            )
        )


def _reason(outcome: Outcome) -> str:
    if outcome.reason != "exited":
        return f"ended by {outcome.limit or outcome.reason}"
    if outcome.truncated:
        return "there are too many files"
    return as_text(outcome.output[-500:]).strip() or f"exit code {outcome.exit_code}"
