"""The box of namespaces: who enters it, its first process, and the mapping of its one user.

    warden ── doorman (unshares, forks, leaves) ── init (pid 1 inside) ── the command

A server that may mount builds the tree with its own rights and enters a user namespace last; any
other enters it first, since only there it may mount. The command runs as the workspace's owner.
"""

# Importing pathlib would cost every command several milliseconds.
# ruff: noqa: PTH123

from __future__ import annotations

import _socket
import fcntl
import os
import select
import signal
import struct
import time

from homeport.sandbox.inside import child, mounts, pids, syscalls, tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from homeport.sandbox.inside.plan import Plan

INSIDE_ID = 1000
WATCH_S = 0.05
_SPACES = (
    syscalls.CLONE_NEWNS
    | syscalls.CLONE_NEWPID
    | syscalls.CLONE_NEWIPC
    | syscalls.CLONE_NEWUTS
    | syscalls.CLONE_NEWCGROUP
)
_PROCESSES = syscalls.CLONE_NEWPID | syscalls.CLONE_NEWNS
_GET_FLAGS, _SET_FLAGS, _UP = 0x8913, 0x8914, 1
_WRAPPERS = 2
_MAP_DOORMAN, _MAP_INIT, _PID, _STANDING = 1, 2, 3, 4
_WORD = "=ii"


class Talk:
    """The pipes over which a box that is being set up and the warden speak."""

    __slots__ = ("_from_box", "_from_warden", "_to_box", "_to_warden")

    def __init__(self) -> None:
        self._from_box, self._to_warden = os.pipe()
        self._from_warden, self._to_box = os.pipe()

    def tell_warden(self, word: int, value: int = 0) -> None:
        """Say a word from inside."""
        os.write(self._to_warden, struct.pack(_WORD, word, value))

    def ask_warden(self, word: int) -> None:
        """Say a word from inside and wait until it has been done."""
        self.tell_warden(word)
        if not os.read(self._from_warden, 1):
            message = "the warden has gone"
            raise RuntimeError(message)

    def hear(self) -> tuple[int, int]:
        """The next word from inside; (0, 0) when nobody is left there."""
        word = os.read(self._from_box, struct.calcsize(_WORD))
        return struct.unpack(_WORD, word) if word else (0, 0)

    def allow(self) -> None:
        """Let the box go on."""
        os.write(self._to_box, b"g")

    def keep_inside(self) -> None:
        """Close the warden's ends."""
        os.close(self._from_box)
        os.close(self._to_box)

    def keep_outside(self) -> None:
        """Close the box's ends."""
        os.close(self._to_warden)
        os.close(self._from_warden)


def start(plan: Plan, streams: tuple[int, int, int], lifeline: int, status: int) -> int:
    """Start the box; returns the host's pid of its first process, or 0 when it does not stand.

    Args:
        plan: What runs in it.
        streams: The command's standard streams.
        lifeline: init reads orders from it (`T`: ask all to end) and dies at its end.
        status: The box writes to it how the command ended, or what failed.

    Raises:
        OSError: The users of the box could not be mapped.
    """
    talk = Talk()
    doorman = os.fork()
    if doorman == 0:
        talk.keep_inside()
        _guarded(status, lambda: _doorman(plan, streams, lifeline, status, talk))
    talk.keep_outside()
    init, waiting, standing = 0, False, False
    while not (init and standing):  # doorman and init speak at the same time
        word, value = talk.hear()
        if word == 0:
            os.waitpid(doorman, 0)
            return 0
        if word == _PID:
            init = value
        standing = standing or word == _STANDING
        waiting = waiting or word == _MAP_INIT
        if word == _MAP_DOORMAN or (waiting and init):
            _map(init or doorman, plan)
            talk.allow()
            waiting = False
    os.waitpid(doorman, 0)
    return init


def _guarded(status: int, body: Callable[[], None]) -> None:
    """Run `body` in a forked process, which ends with it."""
    try:
        body()
    except BaseException as error:  # noqa: BLE001 - a forked process must not run its parent's code
        os.write(status, f"failed {type(error).__name__}: {error}".encode()[:4000])
    finally:
        os._exit(child.NOT_CONFINED)


def _map(pid: int, plan: Plan) -> None:
    for name, content in (
        ("setgroups", "deny"),
        ("uid_map", f"{INSIDE_ID} {plan['uid']} 1"),
        ("gid_map", f"{INSIDE_ID} {plan['gid']} 1"),
    ):
        with open(f"/proc/{pid}/{name}", "w", encoding="ascii") as file:
            file.write(content)


def _doorman(
    plan: Plan, streams: tuple[int, int, int], lifeline: int, status: int, talk: Talk
) -> None:
    if plan["confinement"] != "namespaces":
        _doorman_of_processes(plan, streams, lifeline, status, talk)
    spaces = _SPACES if plan["network"] else _SPACES | syscalls.CLONE_NEWNET
    mounts_itself = _unshare_as_root(spaces)
    if not mounts_itself:
        syscalls.unshare(syscalls.CLONE_NEWUSER)
        talk.ask_warden(_MAP_DOORMAN)
        syscalls.unshare(spaces)
    init = os.fork()
    if init:
        talk.tell_warden(_PID, init)
        os._exit(0)
    _furnish(plan)
    if mounts_itself:
        syscalls.unshare(syscalls.CLONE_NEWUSER)
        talk.ask_warden(_MAP_INIT)
        os.setresgid(INSIDE_ID, INSIDE_ID, INSIDE_ID)
        os.setresuid(INSIDE_ID, INSIDE_ID, INSIDE_ID)
    _rule(plan, streams, lifeline, status, talk)


def _doorman_of_processes(
    plan: Plan, streams: tuple[int, int, int], lifeline: int, status: int, talk: Talk
) -> None:
    """Give a box of another kind a pid namespace only; never returns."""
    syscalls.unshare(_PROCESSES)
    init = os.fork()
    if init:
        talk.tell_warden(_PID, init)
        os._exit(0)
    syscalls.mount("none", "/", "", syscalls.MS_REC | syscalls.MS_PRIVATE)
    syscalls.mount("proc", "/proc", "proc", syscalls.MS_NOSUID | syscalls.MS_NODEV)
    pids.bound("/proc", plan["processes"])
    _rule(plan, streams, lifeline, status, talk)


def may_have_processes() -> bool:
    """Whether this process may make a pid namespace without a user namespace."""
    if os.geteuid() != 0:
        return False
    pid = os.fork()
    if pid == 0:
        try:
            syscalls.unshare(_PROCESSES)
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitpid(pid, 0)[1] == 0


def _unshare_as_root(spaces: int) -> bool:
    if os.geteuid() != 0:
        return False
    os.setgroups([])
    try:
        syscalls.unshare(spaces)
    except PermissionError:
        return False
    return True


def _furnish(plan: Plan) -> None:
    mounts.enter(plan)
    if os.geteuid() == 0:
        os.chown(plan["env"]["HOME"], plan["uid"], plan["gid"])
    name = b"homeport"
    syscalls.syscall("sethostname", syscalls.SETHOSTNAME[os.uname().machine], name, len(name))
    if not plan["network"]:
        _loopback_up()


def _loopback_up() -> None:
    wire = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM)
    request = struct.pack("=16sh22x", b"lo", 0)
    flags = struct.unpack("=16sh22x", fcntl.ioctl(wire.fileno(), _GET_FLAGS, request))[1]
    fcntl.ioctl(wire.fileno(), _SET_FLAGS, struct.pack("=16sh22x", b"lo", flags | _UP))
    wire.close()


def _rule(
    plan: Plan, streams: tuple[int, int, int], lifeline: int, status: int, talk: Talk
) -> None:
    """Be pid 1: start the command, bury orphans, watch the limits, end when the command ends."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)  # pid 1 does not get what it does not handle
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    signal.set_wakeup_fd(wake)
    command = os.fork()
    if command == 0:
        child.take_streams(streams, status)
        child.become(plan, child.FAILURE)
    talk.tell_warden(_STANDING)
    if plan["confinement"] != "plain":  # whose command keeps them, and must be seen and ended
        syscalls.drop_capabilities()
        syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)
    syscalls.close_except({lifeline, status, woken, wake})
    _reign(plan, command, lifeline, status, woken)


def _reign(plan: Plan, command: int, lifeline: int, status: int, woken: int) -> None:
    poll = select.poll()
    poll.register(lifeline, select.POLLIN | select.POLLHUP)
    poll.register(woken, select.POLLIN)
    pause_s = WATCH_S
    while True:
        ready = {descriptor for descriptor, _ in poll.poll(pause_s * 1000)}
        if woken in ready:
            os.read(woken, 4096)
            for pid, wait_status in tree.reap():
                if pid == command:
                    os.write(status, told(wait_status))
                    os._exit(0)
        if lifeline in ready:
            if os.read(lifeline, 1) != b"T":
                os._exit(0)
            tree.send(asked(plan, 1), signal.SIGTERM)
        begun = time.monotonic()
        exceeded = over_limit(plan, tree.everybody_else())
        if exceeded:
            os.write(status, f"limit {exceeded}".encode())
            os._exit(0)
        pause_s = max(WATCH_S, 20 * (time.monotonic() - begun))


def told(wait_status: int) -> bytes:
    """A wait status as the warden reads it."""
    code = os.waitstatus_to_exitcode(wait_status)
    return f"exit {code}".encode() if code >= 0 else f"signal {-code}".encode()


def asked(plan: Plan, root: int) -> list[int]:
    """The processes below `root` that are asked to end.

    bubblewrap's own two are not: they would take the command down with them, unasked.
    """
    below = tree.descendants(root)
    return below[_WRAPPERS:] if plan["wrapper_files"] else below


def over_limit(plan: Plan, members: list[int]) -> str:
    """The limit that the processes `members` together are over, or an empty text."""
    spare = _WRAPPERS if plan["wrapper_files"] else 0
    if tree.threads(members) > plan["processes"] + spare:
        return "processes"
    if tree.memory(members, limit=plan["memory_bytes"]) > plan["memory_bytes"]:
        return "memory"
    if any(tree.free(place) < plan["free_bytes"] for place in plan["disks"]):
        return "disk"
    return ""
