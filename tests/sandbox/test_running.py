"""What a command gets, what it gives back, and how it is ended from outside."""

from __future__ import annotations

import asyncio
import os
import subprocess
import uuid
from pathlib import Path

import psutil
import pytest

from homeport.sandbox import (
    Command,
    CommandRefused,
    Limits,
    Sandbox,
    SandboxFailed,
    WorkspaceMissing,
    toolchains,
)
from homeport.sandbox.layout import Places
from support.boxes import BOXES, MACHINE, make, processes_with, python, shell


async def test_exit_code_when_it_exits_then_it_is_told(anything: Sandbox, workspace: Path) -> None:
    outcome = await anything.run(shell(workspace, "echo out; echo err >&2; exit 3"))
    assert (outcome.exit_code, outcome.signal, outcome.reason) == (3, None, "exited")
    assert sorted(outcome.output.split()) == [b"err", b"out"]
    assert outcome.stdout == b"out\n"
    assert not outcome.truncated
    assert outcome.violations == ()


async def test_signal_when_it_kills_itself_then_it_is_told(
    anything: Sandbox, workspace: Path
) -> None:
    outcome = await anything.run(shell(workspace, "kill -SEGV $$"))
    assert (outcome.exit_code, outcome.signal, outcome.reason) == (None, 11, "signal")


async def test_program_when_absent_then_127_and_a_reason(
    anything: Sandbox, workspace: Path
) -> None:
    outcome = await anything.run(Command(("no-such-program",), workspace))
    assert outcome.exit_code == 127
    assert b"not found" in outcome.output


async def test_program_when_the_servers_own_python_is_out_of_sight_then_it_is_found_by_name(
    tmp_path: Path, workspace: Path
) -> None:
    found = toolchains.find(["/usr/bin", "/bin"], home=MACHINE.home, secrets=tmp_path / "data")
    for kind in (*BOXES, "none"):
        outcome = await make(kind, Places(found, tmp_path / "data")).run(
            Command(("sh", "-c", "exit 7"), workspace)
        )
        assert (kind, outcome.exit_code) == (kind, 7), outcome.output


async def test_program_when_not_executable_then_126(anything: Sandbox, workspace: Path) -> None:
    (workspace / "plain.txt").write_text("text")
    outcome = await anything.run(Command(("./plain.txt",), workspace))
    assert outcome.exit_code == 126


async def test_output_when_merged_then_it_is_in_the_order_of_writing(
    anything: Sandbox, workspace: Path
) -> None:
    script = "i=0; while [ $i -lt 200 ]; do echo o$i; echo e$i >&2; i=$((i+1)); done"
    outcome = await anything.run(shell(workspace, script, merge=True))
    assert outcome.output.decode().split() == [f"{s}{i}" for i in range(200) for s in "oe"]
    assert outcome.stdout == outcome.output


async def test_output_when_over_the_cap_then_head_and_tail_are_kept(
    anything: Sandbox, workspace: Path
) -> None:
    limits = Limits(wall_s=20, output_bytes=100)
    outcome = await anything.run(shell(workspace, "seq -w 0 999", limits=limits))
    whole = b"".join(b"%03d\n" % i for i in range(1000))
    assert outcome.output == whole[:50] + whole[-50:]
    assert (outcome.output_size, outcome.truncated) == (len(whole), True)


async def test_output_when_listened_to_then_it_comes_before_the_end(
    anything: Sandbox, workspace: Path
) -> None:
    first = asyncio.Event()
    running = asyncio.create_task(
        anything.run(
            shell(workspace, "echo early; while [ ! -e go ]; do sleep 0.02; done; echo late"),
            on_output=lambda _chunk: first.set(),
        )
    )
    await asyncio.wait_for(first.wait(), 20)
    assert not running.done()
    (workspace / "go").touch()
    assert (await running).output == b"early\nlate\n"


async def test_stdin_when_large_then_all_of_it_arrives(anything: Sandbox, workspace: Path) -> None:
    text = bytes(range(256)) * 4000
    outcome = await anything.run(Command(("cat",), workspace, stdin=text))
    assert outcome.stdout == text[: 1 << 19] + text[-(1 << 19) :] or outcome.stdout == text


async def test_stdin_when_not_read_then_the_command_still_ends(
    anything: Sandbox, workspace: Path
) -> None:
    outcome = await anything.run(Command(("true",), workspace, stdin=b"x" * 1_000_000))
    assert outcome.exit_code == 0


async def test_directory_when_relative_then_it_starts_there(
    anything: Sandbox, workspace: Path
) -> None:
    (workspace / "süb dir").mkdir()
    outcome = await anything.run(Command(("pwd", "-P"), workspace, cwd="süb dir"))
    assert outcome.stdout.decode().strip() == str(workspace / "süb dir")


async def test_file_when_written_then_it_belongs_to_the_workspaces_owner(
    anything: Sandbox, workspace: Path
) -> None:
    await anything.run(shell(workspace, "mkdir a && echo hello > 'a/b ü' && chmod 700 a"))
    assert (workspace / "a" / "b ü").read_text() == "hello\n"
    assert (workspace / "a").stat().st_uid == workspace.stat().st_uid


async def test_workspace_when_read_only_then_nothing_is_written(
    box: Sandbox, workspace: Path
) -> None:
    command = Command(("touch", "new"), workspace, workspace_read_only=True)
    outcome = await box.run(command)
    assert outcome.exit_code != 0
    assert not (workspace / "new").exists()


async def test_more_paths_when_given_then_they_can_be_read_or_written(
    box: Sandbox, workspace: Path, tmp_path: Path
) -> None:
    readable, writable = tmp_path / "tool chain", tmp_path / "privaté git"
    for place in (readable, writable):
        place.mkdir()
        (place / "file").write_text("content")
    script = f"cat '{readable}/file'; echo new > '{writable}/file'; echo x > '{readable}/file'"
    outcome = await box.run(
        Command(("sh", "-c", script), workspace, readable=(readable,), writable=(writable,))
    )
    assert outcome.stdout == b"content"
    assert (writable / "file").read_text() == "new\n"
    assert (readable / "file").read_text() == "content"


async def test_loopback_when_used_inside_a_full_box_then_it_works(
    full: Sandbox, workspace: Path
) -> None:
    script = (
        "import socket\n"
        "s = socket.create_server(('127.0.0.1', 0)); c = socket.create_connection(s.getsockname())\n"
        "print(sorted(n for _, n in socket.if_nameindex()))"
    )
    outcome = await full.run(python(workspace, script))
    assert outcome.output == b"['lo']\n"


async def test_network_when_full_then_the_hosts_loopback_is_reached(
    box: Sandbox, workspace: Path
) -> None:
    server = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    script = f"import socket; socket.create_connection(('127.0.0.1', {port}), 5); print('in')"
    closed = python(workspace, script)
    opened = Command(closed.argv, workspace, readable=closed.readable, network="full")
    assert (await box.run(closed)).exit_code != 0
    assert (await box.run(opened)).output == b"in\n"
    server.close()
    await server.wait_closed()


async def test_tools_when_on_the_servers_path_then_they_run(box: Sandbox, workspace: Path) -> None:
    script = "git --version && python3 -c 'print(1)' && sort </dev/null && echo a | tee b"
    outcome = await box.run(shell(workspace, script))
    assert outcome.exit_code == 0, outcome.output


async def test_commit_when_made_inside_then_the_repository_has_it(
    box: Sandbox, workspace: Path
) -> None:
    (workspace / "file").write_text("x")
    script = "git add -A && git -c user.name=A -c user.email=a@b commit -qm first"
    outcome = await box.run(shell(workspace, script))
    assert outcome.exit_code == 0, outcome.output
    show = ["git", "-C", str(workspace), "show", "--stat", "--format=%s"]
    shown = subprocess.run(show, check=True, capture_output=True, text=True).stdout
    assert shown.splitlines()[0] == "first"
    assert "1 file changed" in shown  # no placeholder was committed
    status = ["git", "-C", str(workspace), "status", "--porcelain"]
    assert subprocess.run(status, check=True, capture_output=True).stdout == b""


@pytest.mark.parametrize("how", ["sleep 600", "trap '' TERM; while :; do sleep 0.1; done"])
async def test_cancel_when_running_then_everything_ends_first(
    anything: Sandbox, workspace: Path, how: str
) -> None:
    marker = f"cancelled{uuid.uuid4().hex}"
    started = asyncio.Event()
    running = asyncio.create_task(
        anything.run(
            shell(workspace, f"echo up; : {marker}; {how}"),
            on_output=lambda _chunk: started.set(),
        )
    )
    await asyncio.wait_for(started.wait(), 20)
    assert processes_with(marker)
    running.cancel()
    await asyncio.sleep(0.05)
    running.cancel()  # an impatient caller does not cut it short
    with pytest.raises(asyncio.CancelledError):
        await running
    assert processes_with(marker) == []
    assert not list(workspace.glob(".mcp.json"))


async def test_cancel_when_still_starting_then_nothing_is_left(
    anything: Sandbox, workspace: Path
) -> None:
    for delay in (0, 0.001, 0.005, 0.02, 0.05):
        marker = f"early{uuid.uuid4().hex}"
        running = asyncio.create_task(anything.run(shell(workspace, f": {marker}; sleep 600")))
        await asyncio.sleep(delay)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert processes_with(marker) == []
    assert sorted(p.name for p in workspace.iterdir()) == [".git"]


async def test_warden_when_killed_then_its_box_ends_and_the_caller_is_told(
    anything: Sandbox, workspace: Path
) -> None:
    marker = f"orphan{uuid.uuid4().hex}"
    started = asyncio.Event()
    running = asyncio.create_task(
        anything.run(
            shell(workspace, f"echo up; : {marker}; sleep 600"),
            on_output=lambda _chunk: started.set(),
        )
    )
    await asyncio.wait_for(started.wait(), 20)
    _warden(marker).kill()
    with pytest.raises(SandboxFailed):
        await running
    for _ in range(40):
        if not processes_with(marker):
            return
        await asyncio.sleep(0.05)
    raise AssertionError(processes_with(marker))


def _warden(marker: str) -> psutil.Process:
    """The child of ours above the command; this process has other children as well."""
    above = psutil.Process(int(processes_with(marker)[0])).parents()
    return next(process for process in above if process.ppid() == os.getpid())


async def test_commands_when_many_at_once_then_each_gets_its_own_outcome(
    box: Sandbox, workspace: Path
) -> None:
    outcomes = await asyncio.gather(
        *(box.run(shell(workspace, f"echo {i}; exit {i}")) for i in range(8))
    )
    assert [o.exit_code for o in outcomes] == list(range(8))
    assert [int(o.output) for o in outcomes] == list(range(8))
    assert sorted(p.name for p in workspace.iterdir()) == [".git"]


async def test_workspace_when_absent_then_it_is_said(anything: Sandbox, tmp_path: Path) -> None:
    with pytest.raises(WorkspaceMissing):
        await anything.run(Command(("true",), tmp_path / "absent"))
    with pytest.raises(WorkspaceMissing):
        await anything.run(Command(("true",), Path("relative")))


@pytest.mark.parametrize(
    "wrong",
    [
        {"argv": ()},
        {"argv": ("echo", "a\0b")},
        {"cwd": "../outside"},
        {"cwd": "/etc"},
        {"cwd": "absent"},
        {"env": {"LD_PRELOAD": "/x.so"}},
        {"env": {"PYTHONPATH": "/x"}},
        {"env": {"NODE_OPTIONS": "--require /x"}},
        {"env": {"BASH_ENV": "/x"}},
        {"env": {"A=B": "x"}},
        {"env": {"A": "x\0"}},
    ],
    ids=str,
)
@pytest.mark.requirement("50")
async def test_command_when_it_asks_for_too_much_then_it_is_refused(
    places: Places, workspace: Path, wrong: dict[str, object]
) -> None:
    asked: dict[str, object] = {"argv": ("true",), "workspace": workspace, **wrong}
    with pytest.raises(CommandRefused):
        await make("none", places).run(Command(**asked))  # pyright: ignore[reportArgumentType]


async def test_directory_when_a_link_leads_out_then_nothing_runs(
    box: Sandbox, workspace: Path, tmp_path: Path
) -> None:
    (workspace / "link").symlink_to(tmp_path)
    with pytest.raises(CommandRefused):
        await box.run(Command(("touch", "escaped"), workspace, cwd="link"))
    assert not (tmp_path / "escaped").exists()


async def test_server_data_when_asked_for_then_it_is_refused(
    box: Sandbox, places: Places, workspace: Path
) -> None:
    for place in (places.secrets, places.secrets.parent, Path("/")):
        with pytest.raises(CommandRefused):
            await box.run(Command(("true",), place))
        with pytest.raises(CommandRefused):
            await box.run(Command(("true",), workspace, readable=(place,)))
        with pytest.raises(CommandRefused):
            await box.run(Command(("true",), workspace, writable=(place,)))


@pytest.mark.requirement("57")
async def test_workspace_when_inside_the_data_directory_then_only_it_is_seen(
    box: Sandbox, places: Places
) -> None:
    inside = places.secrets / "workspaces" / "one"
    inside.mkdir(parents=True)
    script = f"touch made; cat '{places.secrets}/secret.key'; ls '{places.secrets}'"
    outcome = await box.run(shell(inside, script))
    assert b"the-server-key" not in outcome.output
    assert b"secret.key\n" not in outcome.stdout
    assert (inside / "made").exists()


async def test_environment_when_seen_from_inside_then_nothing_is_the_servers(
    anything: Sandbox, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    canary = f"canary{uuid.uuid4().hex}"
    monkeypatch.setenv("ANTHROPIC_API_KEY", canary)
    monkeypatch.setenv("LD_PRELOAD_CANARY", canary)
    script = "env"
    if anything.rung != "none":  # which hides no other process of the same user
        script += "; cat /proc/self/environ /proc/1/environ /proc/$PPID/environ 2>/dev/null"
        script += " | tr '\\0' '\\n'"
    command = Command(("sh", "-c", script), workspace, env={"GIT_INDEX_FILE": "/x"})
    outcome = await anything.run(command)
    if anything.rung != "none":
        assert canary.encode() not in outcome.output
    names = {line.split(b"=")[0].decode() for line in outcome.stdout.splitlines() if b"=" in line}
    assert names <= {
        "GIT_CONFIG_NOSYSTEM",
        "GIT_INDEX_FILE",
        "HOME",
        "LANG",
        "OLDPWD",
        "PATH",
        "PWD",
        "RUSTUP_HOME",
        "SHLVL",
        "TERM",
        "TMPDIR",
        "_",
    }


async def test_arguments_when_seen_from_inside_then_no_process_of_the_server_is_there(
    full: Sandbox, workspace: Path
) -> None:
    script = "cat /proc/[0-9]*/cmdline | tr '\\0' '\\n'; ls -d /proc/[0-9]* | wc -l"
    outcome = await full.run(shell(workspace, script))
    ours = Path("/proc/self/cmdline").read_bytes().replace(b"\0", b"\n")
    assert ours not in outcome.output
    assert str(workspace.parent).encode() not in outcome.output
    assert int(outcome.stdout.split()[-1]) <= 6


async def test_home_when_written_then_the_next_command_has_a_fresh_one(
    box: Sandbox, workspace: Path
) -> None:
    first = await box.run(shell(workspace, 'touch "$HOME/x" "$TMPDIR/y" && ls "$HOME"'))
    assert first.stdout.strip().startswith(b"x")
    second = await box.run(shell(workspace, 'ls "$HOME"; ls "$TMPDIR"'))
    assert b"x\n" not in second.stdout
    assert b"y\n" not in second.stdout
