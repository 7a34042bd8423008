"""Fault F29: what a command does to a machine, and what is left of it two seconds later."""

from __future__ import annotations

import asyncio
import os
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from homeport.sandbox import Command, Limits, Sandbox
from homeport.sandbox.inside import pids
from homeport.sandbox.layout import Places
from support.boxes import MACHINE, make, processes_with, python, shell

pytestmark = pytest.mark.requirement("F29")
GIB = 1 << 30


async def gone(marker: str) -> bool:
    for _ in range(40):
        if not processes_with(marker):
            return True
        await asyncio.sleep(0.05)
    return False


# The bombs stop by themselves: at 511 processes, and when their fuse is taken away. A test of
# what must not escape has to be harmless when it does.
BOMBS = {
    "plain": '/bin/sh "$0" $1 $(($2 - 1)) &',
    "each in a session of its own": 'setsid /bin/sh "$0" $1 $(($2 - 1)) &',
}


@pytest.mark.parametrize("kind", BOMBS)
async def test_fork_bomb_when_run_then_it_is_ended_and_nothing_is_left(
    anything: Sandbox, workspace: Path, kind: str
) -> None:
    marker = f"bomb{uuid.uuid4().hex}"
    fuse = workspace / "fuse"
    fuse.touch()
    (workspace / "bomb.sh").write_text(
        f"[ -e fuse ] || exit\n[ $2 -gt 0 ] || exec sleep 9\n{BOMBS[kind]}\n{BOMBS[kind]}\nwait\n"
    )
    command = Command(
        ("/bin/sh", "bomb.sh", marker, "8"), workspace, limits=Limits(wall_s=4, processes=64)
    )
    try:
        outcome = await anything.run(command)
        assert outcome.reason in {"limit", "timeout"} or b"fork" in outcome.output.lower()
        assert await gone(marker)
    finally:
        fuse.unlink()


async def test_process_count_when_over_the_limit_then_the_reason_says_so_or_forks_fail(
    anything: Sandbox, workspace: Path
) -> None:
    script = "i=0; while [ $i -lt 60 ]; do sleep 5 & i=$((i+1)); done; wait"
    outcome = await anything.run(shell(workspace, script, limits=Limits(wall_s=4, processes=20)))
    refused = b"fork" in outcome.output.lower() or b"resource" in outcome.output.lower()
    assert refused or (outcome.reason, outcome.limit) == ("limit", "processes")


async def test_processes_when_many_come_one_after_the_other_then_all_of_them_run(
    anything: Sandbox, workspace: Path
) -> None:
    # More than there are ids which a pid namespace does not give out again.
    script = (
        "i=0; while [ $i -lt 400 ]; do (exec /bin/true) || exit 9; i=$((i+1)); done; "
        "echo x | cat | cat | cat | tr x y"
    )
    outcome = await anything.run(shell(workspace, script, limits=Limits(wall_s=60, processes=20)))
    assert (outcome.exit_code, outcome.output) == (0, b"y\n")


@pytest.mark.skipif(
    not (MACHINE.root and MACHINE.ceiling),
    reason="only root is exempt from RLIMIT_NPROC; a pid_max per namespace needs Linux 6.14",
)
@pytest.mark.parametrize("kind", ["launcher", "none"])
async def test_process_count_when_the_user_is_root_then_the_kernel_bounds_it_all_the_same(
    places: Places, workspace: Path, kind: str
) -> None:
    command = shell(workspace, "cat /proc/sys/kernel/pid_max", limits=Limits(processes=20))
    outcome = await make(kind, places).run(command)
    # Root is exempt from RLIMIT_NPROC; the highest id is this namespace's, not the machine's.
    assert int(outcome.output) == 328
    assert int(Path("/proc/sys/kernel/pid_max").read_text()) > 328


@pytest.mark.parametrize(
    ("release", "expected"),
    [
        ("6.1.0-28-amd64", False),
        ("6.13.7", False),
        ("6.14.0-15-generic", True),
        ("6.14-rc1", True),
        ("7.0.1", True),
        ("5.15.167.4-microsoft-standard-WSL2", False),
        ("unknown", False),
    ],
)
def test_highest_id_when_the_kernel_has_but_one_then_it_is_left_alone(
    release: str, expected: bool
) -> None:
    assert pids.each_namespace_counts(release) is expected


async def test_memory_when_one_process_takes_eight_gib_then_it_fails(
    anything: Sandbox, workspace: Path
) -> None:
    script = f"b = bytearray({8 * GIB}); print(len(b))"
    limits = Limits(wall_s=30, memory_bytes=GIB)
    outcome = await anything.run(python(workspace, script, limits=limits))
    assert outcome.exit_code != 0
    assert b"MemoryError" in outcome.output or outcome.reason in {"limit", "signal"}


async def test_memory_when_many_processes_take_it_together_then_all_are_ended(
    anything: Sandbox, workspace: Path
) -> None:
    script = (
        "import os, time\n"
        "for _ in range(4):\n"
        "    if os.fork() == 0:\n"
        "        held = b'x' * (100 << 20); time.sleep(20); os._exit(0)\n"
        "time.sleep(20)"
    )
    limits = Limits(wall_s=15, memory_bytes=200 << 20)
    outcome = await anything.run(python(workspace, script, limits=limits))
    assert (outcome.reason, outcome.limit) == ("limit", "memory")


async def test_file_when_ten_gib_are_written_then_it_stops_at_the_limit(
    anything: Sandbox, workspace: Path
) -> None:
    script = "head -c 10737418240 /dev/zero > big"
    limits = Limits(wall_s=30, file_bytes=32 << 20)
    outcome = await anything.run(shell(workspace, f"exec {script}", limits=limits))
    assert outcome.exit_code != 0
    assert (workspace / "big").stat().st_size == 32 << 20


async def test_file_limit_when_it_kills_then_the_reason_names_it(
    box: Sandbox, workspace: Path
) -> None:
    command = Command(
        ("dd", "if=/dev/zero", "of=big", "bs=1M", "count=8"),
        workspace,
        limits=Limits(wall_s=20, file_bytes=1 << 20),
    )
    outcome = await box.run(command)
    assert (outcome.reason, outcome.limit) == ("limit", "file")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A workspace on a file system of 64 MiB."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(place)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this user cannot mount a small file system")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


async def test_disk_when_a_command_fills_it_with_many_files_then_it_is_ended_before_it_is_full(
    anything: Sandbox, small_disk: Path
) -> None:
    script = (
        "i=0; while [ $i -lt 64 ]; do"
        " head -c 1048576 /dev/zero > f$i; i=$((i+1)); sleep 0.02; done; sleep 20"
    )
    limits = Limits(wall_s=30, free_bytes=16 << 20)
    outcome = await anything.run(shell(small_disk, script, limits=limits))
    assert (outcome.reason, outcome.limit) == ("limit", "disk")
    assert psutil.disk_usage(str(small_disk)).free > 0


async def test_disk_when_it_is_nearly_full_already_then_commands_still_run(
    box: Sandbox, small_disk: Path
) -> None:
    limits = Limits(wall_s=30, free_bytes=1 << 30)
    outcome = await box.run(shell(small_disk, "echo x > made; sleep 0.2", limits=limits))
    assert outcome.exit_code == 0


async def test_cpu_when_spent_then_the_reason_names_it(anything: Sandbox, workspace: Path) -> None:
    limits = Limits(wall_s=30, cpu_s=1)
    outcome = await anything.run(
        shell(workspace, "exec sh -c 'while :; do :; done'", limits=limits)
    )
    assert (outcome.reason, outcome.limit) == ("limit", "cpu")


async def test_output_when_one_gb_is_written_then_the_server_does_not_grow(
    full: Sandbox, workspace: Path
) -> None:
    this = psutil.Process()
    before = this.memory_info().rss
    seen = 0

    def count(chunk: bytes) -> None:
        nonlocal seen
        seen += len(chunk)

    command = Command(
        ("/bin/sh", "-c", "echo first; head -c 1000000000 /dev/zero; echo last"),
        workspace,
        limits=Limits(wall_s=60),
    )
    outcome = await full.run(command, on_output=count)
    assert outcome.exit_code == 0
    assert outcome.output_size == 1_000_000_000 + len("first\nlast\n")
    assert outcome.truncated
    assert len(outcome.output) == len(outcome.stdout) == seen == 1 << 20
    assert outcome.output.startswith(b"first\n")
    assert outcome.output.endswith(b"last\n")
    assert this.memory_info().rss - before < 64 << 20


async def test_output_when_endless_then_the_flood_is_ended(
    anything: Sandbox, workspace: Path
) -> None:
    limits = Limits(wall_s=60, output_bytes=1 << 16)
    outcome = await anything.run(shell(workspace, "exec yes", limits=limits))
    assert outcome.reason == "output"
    assert len(outcome.output) == 1 << 16


async def test_wall_clock_when_sigterm_is_ignored_then_it_is_killed(
    anything: Sandbox, workspace: Path
) -> None:
    marker = f"stubborn{uuid.uuid4().hex}"
    script = f"trap '' TERM; : {marker}; while :; do sleep 0.1; done"
    outcome = await anything.run(shell(workspace, script, limits=Limits(wall_s=0.5)))
    assert outcome.reason == "timeout", outcome
    assert outcome.exit_code is None
    assert outcome.signal is not None
    assert await gone(marker)


async def test_wall_clock_when_sigterm_is_heeded_then_there_is_time_to_clean_up(
    anything: Sandbox, workspace: Path
) -> None:
    script = "trap 'echo cleaned > done; exit 0' TERM; echo ready; while :; do sleep 0.05; done"
    outcome = await anything.run(shell(workspace, script, limits=Limits(wall_s=1)))
    assert outcome.reason == "timeout"
    assert (workspace / "done").read_text() == "cleaned\n"


async def test_daemon_when_forked_twice_then_it_ends_with_the_command(
    anything: Sandbox, workspace: Path
) -> None:
    marker = f"daemon{uuid.uuid4().hex}"
    script = (
        "import os, time\n"
        f"marker = '{marker}'\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0:\n"
        "        open('beat', 'w').write('up'); time.sleep(600)\n"
        "    os._exit(0)\n"
        "os.wait()\n"
        "while not os.path.exists('beat'): time.sleep(0.01)\n"
    )
    outcome = await anything.run(python(workspace, script))
    assert outcome.exit_code == 0, outcome.output
    assert (workspace / "beat").exists()
    assert await gone(marker)


async def test_server_when_a_command_floods_then_its_loop_stays_free(
    box: Sandbox, workspace: Path
) -> None:
    # No time is asserted: a loop that were blocked for the whole flood would tick once or twice.
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    ticking = asyncio.create_task(tick())
    await box.run(shell(workspace, "sleep 0.3; head -c 100000000 /dev/zero"))
    ticking.cancel()
    assert ticks > 10


async def test_orphans_when_all_is_over_then_this_process_has_no_children(
    anything: Sandbox, workspace: Path
) -> None:
    before = {p.pid for p in psutil.Process(os.getpid()).children(recursive=True)}
    await anything.run(shell(workspace, "sleep 600 & sleep 600 & setsid sleep 600 & exit 0"))
    after = {p.pid for p in psutil.Process(os.getpid()).children(recursive=True)}
    assert after <= before
