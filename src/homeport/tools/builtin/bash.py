"""Bash: runs a command in the sandbox."""

from __future__ import annotations

import signal
from typing import Any

from homeport.sandbox.port import Command, Limits, Outcome
from homeport.tools.builtin.output import shown
from homeport.tools.port import ToolContext, ToolResult, ToolSpec

TIMEOUT_S = 120
MAX_TIMEOUT_S = 600
COMMAND_BYTES = 100_000
"""Linux takes 128 KiB for one argument."""
# The command is an argument of its own, so nothing of it is read before the shell that runs it.
SHELL = (
    "/bin/sh",
    "-c",
    'if command -v bash >/dev/null 2>&1; then exec bash -c "$1"; fi; exec /bin/sh -c "$1"',
    "sh",
)
QUIET = {"PAGER": "cat", "GIT_PAGER": "cat", "GIT_TERMINAL_PROMPT": "0", "NO_COLOR": "1"}
"""Nobody sits at a terminal: no pager, no prompt, no colours."""
DESCRIPTION = f"""\
Runs a shell command in the root of the project, in a sandbox: it can change the project and \
nothing else, and usually has no network.

- For tests, builds, git and other programs. To look at files use Read, Glob and Grep, to change \
them Edit and Write.
- Each command starts fresh in the root: `cd` and variables do not last. Join steps with `&&`.
- It gets no input and nobody answers prompts; pass flags such as `--yes`.
- It is ended after `timeout` seconds (default {TIMEOUT_S}, at most {MAX_TIMEOUT_S}). Whatever it \
leaves running is ended with it, so servers cannot be left in the background.
- Long output is cut in its middle; redirect it into a file and read that instead.
- Some files (such as .git/hooks and .git/config) cannot be changed."""


class Bash:
    """Runs commands; there is no argument that loosens the box."""

    spec = ToolSpec(
        name="Bash",
        description=DESCRIPTION,
        input_schema={
            "type": "object",
            "properties": {
                "command": {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": COMMAND_BYTES,
                    "description": "The command line.",
                },
                "timeout": {
                    "type": "number",
                    "exclusiveMinimum": 0,
                    "maximum": MAX_TIMEOUT_S,
                    "description": f"Seconds until it is ended. Default: {TIMEOUT_S}.",
                },
                "description": {
                    "type": "string",
                    "maxLength": 500,
                    "description": "In a few words, what the command is for.",
                },
            },
            "required": ["command"],
            "additionalProperties": False,
        },
        effect="execute",
    )

    async def run(self, arguments: dict[str, Any], context: ToolContext) -> ToolResult:
        """Runs the command to its end.

        Raises:
            HomeportError: See `sandbox.errors`; told by the guard.
        """
        command: str = arguments["command"]
        if "\0" in command or len(command.encode()) > COMMAND_BYTES:
            return ToolResult(
                f"A command has no NUL and at most {COMMAND_BYTES} bytes; write a file and run it.",
                is_error=True,
                details={"code": "tool.invalid-input"},
            )
        limits = Limits(wall_s=min(float(arguments.get("timeout", TIMEOUT_S)), context.timeout_s))
        outcome = await context.sandbox.run(
            Command(
                argv=(*SHELL, command),
                workspace=context.workspace.root,
                env=QUIET,
                limits=limits,
                network=context.network,
                readable=context.readable,
                merge=True,
            ),
            on_output=context.on_output,
        )
        return _told(outcome, limits)


def _told(outcome: Outcome, limits: Limits) -> ToolResult:
    output = shown(outcome, limits.output_bytes)
    notes = [_end(outcome, limits)]
    if output.cut:
        notes.append("Its output is cut: redirect it into a file and read that in parts.")
    if outcome.violations:
        names = ", ".join(outcome.violations)
        notes.append(f"It changed protected files, which have been put back: {names}.")
    note = " ".join(each for each in notes if each)
    text = output.text.removesuffix("\n")
    if not text and not note:
        note = "The command succeeded without output."
    return ToolResult(
        "\n".join([*([text] if text else []), *([f"[{note}]"] if note else [])]),
        is_error=outcome.exit_code != 0 or outcome.reason != "exited",
        exit_code=outcome.exit_code,
        details={
            "reason": outcome.reason,
            "signal": outcome.signal,
            "limit": outcome.limit,
            "exit_code": outcome.exit_code,
            "duration_ms": outcome.duration_ms,
            "output_bytes": outcome.output_size,
            "truncated": output.cut,
            "violations": list(outcome.violations),
        },
    )


def _end(outcome: Outcome, limits: Limits) -> str:
    """How it ended, in words; nothing when it simply succeeded."""
    if outcome.reason == "timeout":
        return (
            f"The command was ended after {limits.wall_s:g} s, its time limit, with everything it "
            f"had started. Do less at once, or give a longer timeout (at most {MAX_TIMEOUT_S})."
        )
    if outcome.reason == "limit":
        return f"The command was ended because it reached a limit: {outcome.limit or 'resources'}."
    if outcome.reason == "output":
        return f"The command was ended because it wrote too much: {outcome.output_size} bytes."
    if outcome.reason == "cancelled":
        return "The command was cancelled."
    if outcome.signal is not None:
        return f"The command was ended by signal {outcome.signal} ({_name(outcome.signal)})."
    return f"Exit code {outcome.exit_code}." if outcome.exit_code else ""


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"
