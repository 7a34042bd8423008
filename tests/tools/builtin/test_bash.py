from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from homeport.files.workspace import Workspace
from homeport.sandbox import Command, Outcome, Rung, toolchains
from homeport.sandbox.layout import Places
from homeport.tools.port import ToolContext
from support.boxes import MACHINE, make, processes_with
from support.toolbox import Toolbox


async def test_bash_when_it_succeeds_then_output_comes_in_order_and_cwd_is_the_root(
    shell: Toolbox,
) -> None:
    shell.put("a.txt", "x")

    ran = await shell.use("Bash", command="echo one; echo two >&2; pwd; ls; [[ 1 == 1 ]] && echo b")

    assert ran.content == f"one\ntwo\n{shell.root}\na.txt\nb"
    assert (ran.is_error, ran.exit_code) == (False, 0)
    assert ran.details["reason"] == "exited"
    assert ran.details["truncated"] is False


async def test_bash_when_it_writes_then_the_files_are_in_the_workspace(shell: Toolbox) -> None:
    ran = await shell.use("Bash", command="mkdir -p d && printf 'ü\\n' > 'd/a b.txt'")
    assert ran.content == "[The command succeeded without output.]"
    assert (shell.root / "d/a b.txt").read_bytes() == "ü\n".encode()


async def test_bash_when_it_fails_then_the_exit_code_is_told(shell: Toolbox) -> None:
    ran = await shell.use("Bash", command="echo wrong; exit 3")
    assert ran.content == "wrong\n[Exit code 3.]"
    assert (ran.is_error, ran.exit_code) == (True, 3)


async def test_bash_when_there_is_no_such_program_then_it_says_so(shell: Toolbox) -> None:
    ran = await shell.use("Bash", command="no-such-program-here")
    assert ran.exit_code == 127
    assert "not found" in ran.content


async def test_bash_when_it_kills_itself_then_the_signal_is_told(shell: Toolbox) -> None:
    ran = await shell.use("Bash", command="kill -SEGV $$")
    assert ran.is_error
    assert "signal 11 (SIGSEGV)" in ran.content
    assert ran.exit_code is None


async def test_bash_when_it_never_ends_then_it_is_ended_and_that_is_told(shell: Toolbox) -> None:
    ran = await shell.use("Bash", command="trap '' TERM; echo before; sleep 1000", timeout=1)
    assert ran.is_error
    assert ran.details["reason"] == "timeout"
    assert ran.content.startswith("before\n[The command was ended after 1 s, its time limit")


async def test_bash_when_the_run_has_little_time_left_then_the_command_gets_no_more(
    shell: Toolbox,
) -> None:
    tool = shell.registry.find("Bash")
    assert tool is not None
    ran = await tool.run({"command": "sleep 1000"}, shell.context(timeout_s=0.5))
    assert ran.details["reason"] == "timeout"
    assert "after 0.5 s" in ran.content


async def test_bash_when_it_leaves_children_then_they_are_killed(shell: Toolbox) -> None:
    marker = f"31{time.monotonic_ns() % 10**9:09}"
    ran = await shell.use(
        "Bash",
        command=f"sleep {marker} & (setsid nohup sleep {marker} >/dev/null 2>&1 &) ; echo ok",
    )
    assert ran.content.startswith("ok")
    assert await gone(marker)


async def test_bash_when_the_call_is_cancelled_then_nothing_is_left(shell: Toolbox) -> None:
    marker = f"32{time.monotonic_ns() % 10**9:09}"
    call = asyncio.create_task(
        shell.use("Bash", command=f"touch started; sleep {marker} & sleep {marker}")
    )
    async with asyncio.timeout(30):
        while not (shell.root / "started").exists():
            await asyncio.sleep(0.05)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert await gone(marker)


async def test_bash_when_output_has_5_mib_then_head_and_tail_come_and_the_gap_is_told(
    shell: Toolbox,
) -> None:
    ran = await shell.use(
        "Bash", command="echo begin; head -c 5242880 /dev/zero | tr '\\0' x; echo; echo end"
    )
    assert not ran.is_error
    assert ran.content.startswith("begin\nxxx")
    assert "xxx\nend\n[Its output is cut" in ran.content
    assert len(ran.content) < 41_000
    assert ran.details["output_bytes"] == 5242880 + len("begin\n\nend\n")
    assert f"of {ran.details['output_bytes']} bytes are left out here" in ran.content


async def test_bash_when_output_is_somewhat_long_then_the_gap_is_exact(shell: Toolbox) -> None:
    ran = await shell.use("Bash", command="seq 1 20000")
    head, _, rest = ran.content.partition("\n[... ")
    left_out = int(rest.split()[0])
    tail = rest.partition("...]\n")[2].partition("\n[Its output")[0] + "\n"
    assert len(head) + len(tail) + left_out == ran.details["output_bytes"]


async def test_bash_when_output_is_no_text_then_it_is_still_storable(shell: Toolbox) -> None:
    ran = await shell.use("Bash", command=r"printf 'a\0b\377c\355\240\200'")
    ran.content.encode()
    assert "\x00" not in ran.content
    assert ran.content.startswith("a\ufffdb\ufffdc")


async def test_bash_when_it_reads_input_then_there_is_none(shell: Toolbox) -> None:
    ran = await shell.use("Bash", command="cat; read x || echo no input")
    assert ran.content == "no input"


async def test_bash_when_it_runs_then_the_servers_environment_is_not_there(
    shell: Toolbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "canary-key")
    ran = await shell.use("Bash", command="env; tr '\\0' '\\n' < /proc/self/environ")
    assert "canary-key" not in ran.content
    assert "GIT_TERMINAL_PROMPT=0" in ran.content


async def test_bash_when_it_writes_protected_names_then_they_are_as_before(
    shell: Toolbox,
) -> None:
    shell.put(".git/hooks/pre-commit", "old")
    await shell.use(
        "Bash",
        command="echo evil > .git/hooks/pre-commit; echo evil > .bashrc; echo {} > .mcp.json",
    )
    assert (shell.root / ".git/hooks/pre-commit").read_text("utf-8") == "old"
    for name in (".bashrc", ".mcp.json"):
        file = shell.root / name
        assert not file.is_file() or "evil" not in file.read_text("utf-8")


async def test_bash_when_it_looks_outside_then_other_files_cannot_be_changed(
    shell: Toolbox, outside: Path
) -> None:
    if shell.sandbox.rung == "none":
        pytest.skip("no box, by the operator's word")
    ran = await shell.use("Bash", command=f"cat '{outside}/secret.txt'; echo x > '{outside}/new'")
    assert "canary" not in ran.content
    assert [each.name for each in outside.iterdir()] == ["secret.txt"]


@pytest.mark.parametrize(
    "command", ["echo \x00", "echo " + "ü" * 60_000, "x" * 100_001, "", "echo \ud800"]
)
async def test_bash_when_the_command_cannot_be_passed_then_it_is_refused(
    shell: Toolbox, command: str
) -> None:
    ran = await shell.use("Bash", command=command)
    assert ran.is_error
    assert ran.details["code"] == "tool.invalid-input"


async def test_bash_when_the_workspace_was_deleted_then_the_model_is_told_to_stop(
    shell: Toolbox,
) -> None:
    shutil.rmtree(shell.root)
    ran = await shell.use("Bash", command="echo hi")
    assert ran.is_error
    assert "stop and tell the user" in ran.content


async def test_bash_when_the_disk_is_full_then_the_command_says_so(full_disk: Toolbox) -> None:
    ran = await full_disk.use("Bash", command="head -c 1000000 /dev/zero > big")
    assert ran.is_error
    assert "No space left" in ran.content


@pytest.mark.parametrize("name", ["sandbox", "dangerouslyDisableSandbox", "network", "cwd", "env"])
async def test_bash_when_the_model_asks_for_a_weaker_box_then_there_is_no_such_argument(
    shell: Toolbox, name: str
) -> None:
    ran = await shell.use("Bash", {name: True}, command="echo hi")
    assert ran.is_error
    assert f"there is no '{name}'" in ran.content


async def test_bash_when_a_weaker_rung_puts_names_back_then_that_is_told(
    tools: Toolbox, tmp_path: Path
) -> None:
    if not MACHINE.landlock:
        pytest.skip("this kernel has no Landlock")
    secrets = tmp_path / "data"
    secrets.mkdir(mode=0o700)
    found = toolchains.find(list(MACHINE.path), home=MACHINE.home, secrets=secrets)
    box = Toolbox(tools.root, make("landlock", Places(found, secrets)))

    ran = await box.use("Bash", command="echo evil > .bashrc; echo done")

    assert "It changed protected files, which have been put back: .bashrc." in ran.content
    assert ran.details["violations"] == [".bashrc"]
    assert not (tools.root / ".bashrc").exists()


@dataclass(slots=True)
class Scripted:
    """A box in which every command ends as the test says."""

    outcome: Outcome
    commands: list[Command] = field(default_factory=list[Command])
    rung: Rung = Rung.FULL
    holds: tuple[str, ...] = ()
    remedy: str | None = None

    async def run(
        self, command: Command, *, on_output: Callable[[bytes], None] | None = None
    ) -> Outcome:
        self.commands.append(command)
        return self.outcome


DONE = Outcome(
    exit_code=0,
    signal=None,
    output=b"",
    stdout=b"",
    output_size=0,
    truncated=False,
    duration_ms=1,
    reason="exited",
)


@pytest.mark.parametrize(
    ("ending", "words"),
    [
        ({"reason": "limit", "limit": "memory", "signal": 9}, "reached a limit: memory."),
        ({"reason": "output", "output_size": 1 << 31}, "wrote too much: 2147483648 bytes."),
        ({"reason": "cancelled"}, "The command was cancelled."),
        ({"reason": "signal", "signal": 9}, "ended by signal 9 (SIGKILL)."),
        ({"reason": "signal", "signal": 99}, "ended by signal 99 (unknown)."),
        ({"violations": (".mcp.json",)}, "have been put back: .mcp.json."),
    ],
)
async def test_bash_when_a_command_ends_in_any_way_then_it_is_told_in_words(
    tools: Toolbox, ending: dict[str, Any], words: str
) -> None:
    ended = "reason" in ending
    outcome = replace(DONE, exit_code=None if ended else 0, **ending)

    ran = await Toolbox(tools.root, Scripted(outcome)).use("Bash", command="x")

    assert words in ran.content
    assert ran.is_error == ended


async def test_bash_when_the_project_opens_the_network_then_only_the_context_says_so(
    tools: Toolbox,
) -> None:
    box = Scripted(DONE)
    tool = tools.registry.find("Bash")
    assert tool is not None
    context = ToolContext(
        Workspace(tools.root), box, network="full", readable=(Path("/opt/tools"),), timeout_s=30
    )

    await tool.run({"command": "make 'a b'", "timeout": 600}, context)
    await tool.run({"command": "make"}, replace(context, network="none"))

    first, second = box.commands
    assert first.argv[-1] == "make 'a b'"
    assert (first.workspace, first.cwd) == (tools.root, ".")
    assert (first.network, second.network) == ("full", "none")
    assert first.readable == (Path("/opt/tools"),)
    assert first.writable == ()
    assert first.protect
    assert first.limits.wall_s == 30


async def gone(marker: str) -> bool:
    """Whether no process has `marker` in its command line, within a few seconds."""
    for _ in range(100):
        if not processes_with(marker):
            return True
        await asyncio.sleep(0.05)
    return False
