"""The ladder: the strongest rung that proves itself, and never less than what was asked for."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from homeport.sandbox import (
    Command,
    CommandRefused,
    Host,
    Outcome,
    Rung,
    SandboxUnavailable,
    host,
    open_sandbox,
    selftest,
)
from homeport.sandbox.layout import Places
from support.boxes import BOXES, ENGINES, MACHINE, make, shell

pytestmark = pytest.mark.requirement("57")


def bare(**present: object) -> Host:
    """This machine with everything taken away but `present`."""
    nothing = replace(
        MACHINE, bubblewrap=None, launcher=False, landlock=0, sandbox_exec=None, remedy="fix it"
    )
    return replace(nothing, **present)  # pyright: ignore[reportArgumentType]


async def test_auto_when_this_machine_is_asked_then_the_strongest_rung_is_taken(
    tmp_path: Path,
) -> None:
    sandbox = await open_sandbox("auto", secrets_dir=tmp_path / "data")
    expected = Rung.FULL if ENGINES else Rung.LANDLOCK if BOXES else Rung.UNAVAILABLE
    assert sandbox.rung == expected
    assert sandbox.holds
    assert list((tmp_path / "data").iterdir()) == []


async def test_auto_when_there_are_no_namespaces_then_landlock_is_taken(tmp_path: Path) -> None:
    if not MACHINE.landlock:
        pytest.skip("this kernel has no Landlock")
    sandbox = await open_sandbox("auto", secrets_dir=tmp_path, host=bare(landlock=MACHINE.landlock))
    assert sandbox.rung == Rung.LANDLOCK
    assert sandbox.remedy == "fix it"


@pytest.mark.parametrize("choice", ["auto", "full", "seatbelt", "landlock"])
async def test_anything_when_the_machine_has_nothing_then_every_command_is_refused(
    tmp_path: Path, workspace: Path, choice: str
) -> None:
    sandbox = await open_sandbox(choice, secrets_dir=tmp_path / "data", host=bare())
    assert sandbox.rung == Rung.UNAVAILABLE
    assert sandbox.holds == ()
    with pytest.raises(SandboxUnavailable, match="fix it"):
        await sandbox.run(shell(workspace, "touch ran"))
    assert not (workspace / "ran").exists()


async def test_full_when_only_landlock_is_there_then_it_does_not_fall_back(
    tmp_path: Path,
) -> None:
    sandbox = await open_sandbox(
        "full", secrets_dir=tmp_path, host=bare(landlock=MACHINE.landlock or 1)
    )
    assert sandbox.rung == Rung.UNAVAILABLE


async def test_full_when_bubblewrap_does_not_work_then_it_is_not_taken(tmp_path: Path) -> None:
    fake = tmp_path / "bwrap"
    fake.write_text("#!/bin/sh\necho --disable-userns\nexit 1\n")
    fake.chmod(0o755)
    for program in (str(fake), str(tmp_path / "absent")):
        sandbox = await open_sandbox(
            "full", secrets_dir=tmp_path / "data", host=bare(bubblewrap=program)
        )
        assert sandbox.rung == Rung.UNAVAILABLE


PRETENDER = f"""\
#!{sys.executable}
import os, sys

if sys.argv[1] == "--args":
    with open(int(sys.argv[2]), "rb") as given:
        options = given.read().split(b"\\0")
    os.chdir(options[options.index(b"--chdir") + 1])
    os.execvp(sys.argv[4], sys.argv[4:])
"""
"""A bubblewrap that goes to the workspace and starts the command, and does nothing else."""


async def test_full_when_bubblewrap_confines_nothing_then_the_self_test_says_so(
    tmp_path: Path,
) -> None:
    pretender = tmp_path / "bwrap"
    pretender.write_text(PRETENDER)
    pretender.chmod(0o755)
    sandbox = await open_sandbox(
        "full", secrets_dir=tmp_path / "data", host=bare(bubblewrap=str(pretender))
    )
    assert sandbox.rung == Rung.UNAVAILABLE
    with pytest.raises(SandboxUnavailable, match="read-outside"):
        await sandbox.run(Command(("true",), tmp_path))


async def test_none_when_it_is_the_operators_word_then_commands_run(
    tmp_path: Path, workspace: Path
) -> None:
    sandbox = await open_sandbox("none", secrets_dir=tmp_path / "data", host=bare())
    assert sandbox.rung == Rung.NONE
    assert [claim.partition(":")[0] for claim in sandbox.holds] == ["limits"]
    assert (await sandbox.run(shell(workspace, "exit 4"))).exit_code == 4


async def test_choice_when_unknown_then_it_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="SANDBOX"):
        await open_sandbox("container", secrets_dir=tmp_path)


class Lying:
    """A box that confines nothing and says that it is a full one."""

    rung = Rung.FULL
    holds = ()
    remedy = None

    def __init__(self, places: Places) -> None:
        self._real = make("none", places)

    async def run(
        self, command: Command, *, on_output: Callable[[bytes], None] | None = None
    ) -> Outcome:
        return await self._real.run(command, on_output=on_output)


async def test_self_test_when_the_box_is_open_then_it_names_what_is_open(
    places: Places,
) -> None:
    failure = await selftest.failure_of(Lying(places), secrets_dir=places.secrets)
    assert failure is not None
    for name in ("read-outside", "read-secret", "network", "write-outside", "create-protected"):
        assert name in failure


@pytest.mark.parametrize("kind", BOXES)
async def test_self_test_when_the_box_is_whole_then_it_passes(kind: str, places: Places) -> None:
    assert await selftest.failure_of(make(kind, places), secrets_dir=places.secrets) is None
    assert [p.name for p in places.secrets.iterdir()] == ["secret.key"]


@pytest.mark.parametrize(
    ("switch", "value", "command"),
    [
        ("kernel/unprivileged_userns_clone", "0", "sysctl -w kernel.unprivileged_userns_clone=1"),
        (
            "kernel/apparmor_restrict_unprivileged_userns",
            "1",
            "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
        ),
        ("user/max_user_namespaces", "0", "sysctl -w user.max_user_namespaces=15000"),
    ],
)
def test_remedy_when_a_switch_is_off_then_it_turns_it_on(
    tmp_path: Path, switch: str, value: str, command: str
) -> None:
    place = tmp_path / switch
    place.parent.mkdir(parents=True)
    place.write_text(f"{value}\n")
    assert host.remedy(tmp_path, has_bubblewrap=False) == command


def test_remedy_when_no_switch_is_off_then_it_installs_bubblewrap(tmp_path: Path) -> None:
    assert "bubblewrap" in host.remedy(tmp_path, has_bubblewrap=False)


async def test_landlock_when_secrets_lie_in_a_readable_place_then_it_is_refused(
    places: Places, workspace: Path
) -> None:
    sandbox = make("none", places)
    with pytest.raises(CommandRefused):
        await sandbox.run(Command(("true",), workspace, readable=(places.secrets.parent,)))


def test_hosts_when_looked_at_then_they_agree_with_the_machine() -> None:
    found = host.look()
    assert found == MACHINE
    assert found.path
    assert subprocess.run(["true"], check=True).returncode == 0
