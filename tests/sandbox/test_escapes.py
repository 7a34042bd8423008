"""The escape probes of requirement 57: each tries one way out; none may work."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from homeport.sandbox import Sandbox
from homeport.sandbox.layout import Places
from support.boxes import PYTHON, python

PRELUDE = """
probes = {probes}
import ctypes, errno, os, socket, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
outside, secret = os.environ["OUTSIDE"], os.environ["SECRET"]
server, port = int(os.environ["SERVER"]), int(os.environ["PORT"])
x86 = os.uname().machine == "x86_64"
def call(x86_number, arm_number, *arguments):
    if libc.syscall(x86_number if x86 else arm_number, *arguments) < 0:
        raise OSError(ctypes.get_errno(), "call")
def attempt(name, body):
    try:
        exec("def probe():\\n    " + body, globals())
        probe()
    except (OSError, RuntimeError, ValueError) as error:
        print(name, "held", error, flush=True)
    except BaseException as error:
        print(name, "broken", repr(error), flush=True)
    else:
        print(name, "ESCAPED", flush=True)
for name, body in probes.items():
    child = os.fork()
    if child == 0:
        attempt(name, body)
        os._exit(0)
    if os.waitpid(child, 0)[1] != 0:
        print(name, "died")
"""
PROBES = {
    "read-a-file-outside": "open(outside + '/canary').read()",
    "list-a-directory-outside": "os.listdir(outside)",
    "write-a-file-outside": "open(outside + '/new', 'w').write('x')",
    "overwrite-a-file-outside": "open(outside + '/canary', 'r+').write('x')",
    "truncate-a-file-outside": "os.truncate(outside + '/canary', 0)",
    "delete-a-file-outside": "os.unlink(outside + '/canary')",
    "read-through-a-symlink": "os.symlink(outside, 'link'); open('link/canary').read()",
    "first-write-through-a-dangling-symlink": (
        "os.symlink(outside + '/new', 'dangling'); open('dangling', 'w').write('x')"
    ),
    "hardlink-a-file-outside": "os.link(outside + '/canary', 'hard')",
    "rename-a-file-in-from-outside": "os.rename(outside + '/canary', 'moved')",
    "read-the-servers-secret": "open(secret).read()",
    "list-the-home-directory": "os.listdir(os.environ['REAL_HOME'])",
    "write-the-system": "open('/usr/bin/.probe', 'w').write('x')",
    "read-the-servers-environment": "open(f'/proc/{server}/environ', 'rb').read()",
    "read-the-servers-memory": "open(f'/proc/{server}/mem', 'rb').read(0)",
    "go-through-the-servers-root": "os.listdir(f'/proc/{server}/root' + outside)",
    "go-through-the-parents-root": ("os.listdir(f'/proc/{os.getppid()}/root' + outside)"),
    "signal-the-server": "os.kill(server, 0)",
    "ptrace-the-server": "call(101, 117, 16, server, 0, 0)",
    "ptrace-anything": "call(101, 117, 0, 0, 0, 0)",
    "read-memory-across-processes": (
        "b = ctypes.create_string_buffer(8)\n"
        "    v = struct.pack('=QQ', ctypes.addressof(b), 8)\n"
        "    call(310, 270, os.getpid(), v, ctypes.c_long(1), v, ctypes.c_long(1), ctypes.c_long(0))"
    ),
    "steal-a-descriptor": "call(438, 438, os.pidfd_open(os.getpid()), 1, 0)",
    "enter-a-new-user-namespace": "call(272, 97, 0x10000000)",
    "clone-into-a-new-user-namespace": (
        "call(56, 220, ctypes.c_long(0x10000000 | 17), None, None, None, None)"
    ),
    "clone3-into-a-new-user-namespace": (
        "a = struct.pack('=11Q', 0x10000000, *[0] * 3, 17, *[0] * 6)\n"
        "    call(435, 435, a, ctypes.c_long(len(a)))"
    ),
    "join-a-namespace": "call(308, 268, os.open('/proc/self/ns/user', os.O_RDONLY), 0)",
    "mount-a-file-system": "call(165, 40, b'none', b'.', b'tmpfs', ctypes.c_long(0), None)",
    "remount-a-directory": "call(165, 40, None, b'.', None, ctypes.c_long(0x1020), None)",
    "take-a-mount-away": "call(166, 39, b'.', ctypes.c_long(2))",
    "open-a-tree-of-mounts": "call(428, 428, -100, b'/usr', ctypes.c_long(1))",
    "chroot": "os.chroot('.')",
    "open-by-handle": "call(304, 265, -100, ctypes.create_string_buffer(128), 0)",
    "make-a-device": "os.mknod('disk', 0o60600, os.makedev(254, 0))",
    "io-uring": "call(425, 425, ctypes.c_long(4), ctypes.create_string_buffer(120))",
    "bpf": "call(321, 280, 0, ctypes.create_string_buffer(128), ctypes.c_long(128))",
    "perf-events": (
        "call(298, 241, ctypes.create_string_buffer(struct.pack('=II', 1, 112), 112), 0, -1, -1, 0)"
    ),
    "the-kernels-keyring": "call(250, 219, ctypes.c_long(0), ctypes.c_long(-3), ctypes.c_long(1))",
    "userfaultfd": "call(323, 282, ctypes.c_long(1))",
    "the-kernels-log": "call(103, 116, 3, ctypes.create_string_buffer(64), 64)",
    "set-the-clock": "import time; time.clock_settime(time.CLOCK_REALTIME, time.time())",
    "reach-the-hosts-loopback": "socket.create_connection(('127.0.0.1', port), timeout=3)",
    "reach-a-public-address": "socket.create_connection(('198.51.100.1', 80), timeout=3)",
    "reach-an-abstract-socket": (
        "socket.socket(socket.AF_UNIX).connect('\\0' + os.environ['ABSTRACT'])"
    ),
    "reach-a-socket-outside": "socket.socket(socket.AF_UNIX).connect(os.environ['SOCKET'])",
    "open-a-packet-socket": "socket.socket(17, socket.SOCK_RAW)",
    "open-a-vsock": "socket.socket(40, socket.SOCK_STREAM)",
    "open-a-kernel-crypto-socket": "socket.socket(38, socket.SOCK_SEQPACKET)",
    "type-into-a-terminal": (
        "import fcntl; _, side = os.openpty(); fcntl.ioctl(side, 0x5412, b'x')"
    ),
    "change-how-cores-are-dumped": "os.open('/proc/sys/kernel/core_pattern', os.O_WRONLY)",
    "the-magic-system-request": "os.open('/proc/sysrq-trigger', os.O_WRONLY)",
    "raise-a-limit": (
        "import resource\n    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 40, 1 << 40))"
    ),
    "gain-a-capability": (
        "status = open('/proc/thread-self/status').read() if os.path.exists('/proc/self/status') "
        "else 'CapEff:\\t0000000000000000'\n"
        "    if 'CapEff:\\t0000000000000000' in status: raise RuntimeError('none')"
    ),
    "gain-rights-by-setuid": (
        "if libc.prctl(39, 0, 0, 0, 0) == 1: raise RuntimeError('no-new-privs is set')"
    ),
}


@dataclass(frozen=True)
class Ground:
    outside: Path
    environment: dict[str, str]


@pytest.fixture
def ground(tmp_path: Path, places: Places) -> Iterator[Ground]:
    """A listener of each kind, a file outside, and what the probes have to know about them."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "canary").write_text("canary")
    abstract = f"homeport-test-{os.getpid()}-{tmp_path.name}"
    tcp = socket.create_server(("127.0.0.1", 0))
    hidden = socket.socket(socket.AF_UNIX)
    hidden.bind("\0" + abstract)
    hidden.listen()
    named = socket.socket(socket.AF_UNIX)
    os.chdir(outside)
    named.bind("sock")  # relative: the whole path may be longer than sun_path
    named.listen()
    os.chdir("/")
    yield Ground(
        outside,
        {
            "OUTSIDE": str(outside),
            "SECRET": str(tmp_path / "data" / "secret.key"),
            "SERVER": str(os.getpid()),
            "PORT": str(tcp.getsockname()[1]),
            "ABSTRACT": abstract,
            "SOCKET": str(outside / "sock"),
            "REAL_HOME": str(Path.home()) if Path.home() != Path("/") else "/home",
        },
    )
    for listener in (tcp, hidden, named):
        listener.close()


def program(names: Iterable[str]) -> str:
    """A program that tries each of these probes in a process of its own."""
    return PRELUDE.replace("{probes}", repr({name: PROBES[name] for name in names}))


def results(output: str) -> dict[str, str]:
    return dict(line.split(" ", 1) for line in output.splitlines())


@pytest.mark.requirement("57")
async def test_escape_when_tried_in_every_way_then_each_is_held(
    box: Sandbox, workspace: Path, ground: Ground
) -> None:
    assert len(PROBES) >= 25
    outcome = await box.run(python(workspace, program(PROBES), env=ground.environment))
    found = results(outcome.output.decode())
    assert set(found) == set(PROBES), outcome.output
    escaped = {name: text for name, text in found.items() if not text.startswith("held")}
    if box.rung == "full":
        escaped.pop("list-the-home-directory", "")  # there, it holds the ways to toolchains only
    assert escaped == {}
    assert sorted(p.name for p in ground.outside.iterdir()) == ["canary", "sock"]
    assert (ground.outside / "canary").read_text() == "canary"
    assert not Path("/usr/bin/.probe").exists()


@pytest.mark.requirement("57")
def test_probes_when_run_without_a_box_then_they_do_get_out(
    workspace: Path, ground: Ground
) -> None:
    # A probe that can succeed nowhere proves nothing: those that need no privilege must work.
    names = (
        "read-a-file-outside",
        "write-a-file-outside",
        "read-through-a-symlink",
        "read-the-servers-secret",
        "signal-the-server",
        "read-memory-across-processes",
        "reach-the-hosts-loopback",
        "reach-an-abstract-socket",
        "reach-a-socket-outside",
        "steal-a-descriptor",
    )
    done = subprocess.run(
        [PYTHON, "-c", program(names)],
        env=ground.environment,
        cwd=workspace,
        capture_output=True,
        text=True,
        check=True,
    )
    assert results(done.stdout) == dict.fromkeys(names, "ESCAPED")
