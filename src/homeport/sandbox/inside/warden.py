"""The warden: starts one command in its box, feeds and reads it, and sees to its end.

It speaks with the server over its own standard streams. In: eight bytes of length, the marshalled
plan, then `T` to ask the command to end; the end of that stream ends the command at once. Out:
frames of a letter, four bytes of length and a payload: `L` live output, then once `O` the output,
`S` stdout, and `R` the result.
"""

from __future__ import annotations

import fcntl
import marshal
import os
import select
import signal
import struct
import sys
import time

from homeport.sandbox.inside import child, namespaces, syscalls, tree
from homeport.sandbox.inside.capture import HeadTail

TYPE_CHECKING = False
if TYPE_CHECKING:
    from homeport.sandbox.inside.plan import Plan

ORDERS, FRAMES = 0, 1
GRACE_S = 0.5
_DRAIN_S = 0.5
_CHUNK = 1 << 20
_LINUX = sys.platform == "linux"


class Warden:
    """One command from its start to its end."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._begun = time.monotonic()
        self._hard_at = 0.0
        self._reason = ""
        self._verdict = b""
        self._ended = False
        self._out = self._err = self._feed = -1
        self._live_left = plan["output_bytes"] if plan["live"] else 0
        self._live = bytearray()
        self._unread = memoryview(plan["stdin"])
        self._output = HeadTail(plan["output_bytes"])
        self._stdout = HeadTail(plan["output_bytes"])
        self._watch_at = self._begun + namespaces.WATCH_S
        # A pid namespace is what ends a tree of processes for certain; root can always have one.
        self._boxed = plan["confinement"] == "namespaces" or (
            _LINUX and namespaces.may_have_processes()
        )
        self._pid = 0
        self._lifeline = self._status = -1
        self._woken, wake = os.pipe()
        os.set_blocking(wake, False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        signal.set_wakeup_fd(wake)

    def run(self) -> None:
        """Start it, wait for it, and tell the server."""
        self._start()
        while not self._ended:
            self._turn()
            self._judge_time()
            self._bury()
        self._end_rest()
        self._drain()
        self._tell()

    def _start(self) -> None:
        stdin, self._feed = os.pipe() if self._unread else (os.open(os.devnull, os.O_RDONLY), -1)
        self._out, stdout = os.pipe()
        self._err, stderr = (-1, os.dup(stdout)) if self._plan["merge"] else os.pipe()
        for descriptor in (self._out, self._err):
            if descriptor >= 0 and _LINUX:
                _widen(descriptor)
        order, self._lifeline = os.pipe()
        self._status, status = os.pipe()
        streams = (stdin, stdout, stderr)
        if self._boxed:
            self._pid = namespaces.start(self._plan, streams, order, status)
            self._ended = self._pid == 0
        else:
            self._pid = os.fork()
            if self._pid == 0:
                self._become(streams, status)
        for descriptor in (*streams, order, status):
            os.close(descriptor)
        if self._feed >= 0:
            os.set_blocking(self._feed, False)
        os.set_blocking(FRAMES, False)

    def _become(self, streams: tuple[int, int, int], status: int) -> None:
        try:
            if _LINUX:
                syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
            child.take_streams(streams, status)
            child.become(self._plan, child.FAILURE)
        finally:
            os._exit(child.NOT_CONFINED)

    def _turn(self) -> None:
        poll = select.poll()
        for descriptor in (ORDERS, self._out, self._err, self._status, self._woken):
            if descriptor >= 0:
                poll.register(descriptor, select.POLLIN)
        if self._feed >= 0:
            poll.register(self._feed, select.POLLOUT)
        if self._live:
            poll.register(FRAMES, select.POLLOUT)
        for descriptor, _ in poll.poll(self._pause_ms()):
            self._serve(descriptor)

    def _pause_ms(self) -> float:
        moments = [self._hard_at or self._begun + self._plan["wall_s"]]
        if not self._boxed and _LINUX:
            moments.append(self._watch_at)
        return max(0.0, (min(moments) - time.monotonic()) * 1000 + 1)

    def _serve(self, descriptor: int) -> None:
        if descriptor == ORDERS:
            self._obey()
        elif descriptor in {self._out, self._err}:
            self._read(descriptor)
        elif descriptor == self._status:
            self._hear()
        elif descriptor == self._woken:
            os.read(descriptor, 4096)
        elif descriptor == self._feed:
            self._write_stdin()
        elif descriptor == FRAMES:
            self._send_live()

    def _obey(self) -> None:
        if os.read(ORDERS, 1) == b"T":
            self._ask_to_end("cancelled")
        else:
            self._kill("cancelled")

    def _read(self, descriptor: int) -> None:
        chunk = os.read(descriptor, _CHUNK)
        if not chunk:
            os.close(descriptor)
            if descriptor == self._out:
                self._out = -1
            else:
                self._err = -1
            return
        self._output.feed(chunk)
        if descriptor == self._out:
            self._stdout.feed(chunk)
        if self._live_left > 0:
            shown = chunk[: self._live_left]
            self._live_left -= len(shown)
            self._live += frame(b"L", shown)
        if self._output.size > self._plan["flood_bytes"]:
            self._kill("output")

    def _hear(self) -> None:
        word = os.read(self._status, 4096)
        if word:
            self._verdict = self._verdict or word
        else:
            os.close(self._status)
            self._status = -1

    def _write_stdin(self) -> None:
        try:
            self._unread = self._unread[os.write(self._feed, self._unread[:_CHUNK]) :]
        except BlockingIOError:
            return
        except BrokenPipeError:
            self._unread = self._unread[:0]  # it does not want the rest
        if not self._unread:
            os.close(self._feed)
            self._feed = -1

    def _send_live(self) -> None:
        try:
            del self._live[: os.write(FRAMES, self._live[:_CHUNK])]
        except BlockingIOError:
            return
        except BrokenPipeError:
            self._live.clear()
            self._kill("cancelled")

    def _judge_time(self) -> None:
        now = time.monotonic()
        if self._hard_at:
            if now >= self._hard_at:
                self._kill(self._reason)
        elif now >= self._begun + self._plan["wall_s"]:
            self._ask_to_end("timeout")
        if not self._boxed and _LINUX and now >= self._watch_at:
            exceeded = namespaces.over_limit(self._plan, tree.descendants(os.getpid()))
            if exceeded:
                self._verdict = self._verdict or f"limit {exceeded}".encode()
                self._kill("limit")
            spent = time.monotonic() - now
            self._watch_at = time.monotonic() + max(namespaces.WATCH_S, 20 * spent)

    def _ask_to_end(self, reason: str) -> None:
        """SIGTERM for everybody; `GRACE_S` later what is left is killed."""
        if self._hard_at:
            return
        self._reason = self._reason or reason
        self._hard_at = time.monotonic() + GRACE_S
        if self._boxed:
            os.write(self._lifeline, b"T")
        elif _LINUX:
            tree.send(namespaces.asked(self._plan, os.getpid()), signal.SIGTERM)
        else:
            self._signal_group(signal.SIGTERM)

    def _kill(self, reason: str) -> None:
        self._reason = self._reason or reason
        self._hard_at = self._hard_at or time.monotonic()
        if self._ended:
            return
        if self._boxed:
            tree.send([self._pid], signal.SIGKILL)
        elif _LINUX:
            self._end_rest()
            self._ended = True
        else:
            self._signal_group(signal.SIGKILL)

    def _bury(self) -> None:
        for pid, status in tree.reap():
            if pid == self._pid:
                self._ended = True
                if not self._boxed:
                    self._verdict = self._verdict or namespaces.told(status)

    def _end_rest(self) -> None:
        if self._boxed or not self._pid:
            return  # the kernel ends a pid namespace with its first process
        if not _LINUX:
            self._signal_group(signal.SIGKILL)
        else:
            tree.end_all(os.getpid())

    def _signal_group(self, number: int) -> None:
        try:
            os.killpg(self._pid, number)
        except ProcessLookupError:
            return
        except PermissionError:
            return  # macOS answers so for a group of zombies

    def _drain(self) -> None:
        """Read what the dead have written; a pipe that is still held is left after a while."""
        deadline = time.monotonic() + _DRAIN_S
        while (self._out >= 0 or self._err >= 0 or self._status >= 0) and (
            time.monotonic() < deadline
        ):
            poll = select.poll()
            for descriptor in (self._out, self._err, self._status):
                if descriptor >= 0:
                    poll.register(descriptor, select.POLLIN)
            for descriptor, _ in poll.poll(_DRAIN_S * 1000):
                self._serve(descriptor)

    def _tell(self) -> None:
        milliseconds = round((time.monotonic() - self._begun) * 1000)
        truncated = int(self._output.truncated or self._stdout.truncated)
        unsaid = f"signal {int(signal.SIGKILL)}" if self._pid else "failed the box does not stand"
        verdict = self._verdict.decode(errors="replace") or unsaid
        facts = f"{self._output.size} {truncated} {milliseconds} {self._reason or '-'} {verdict}"
        os.set_blocking(FRAMES, True)
        rest = memoryview(
            bytes(self._live)
            + frame(b"O", self._output.content())
            + frame(b"S", self._stdout.content())
            + frame(b"R", facts.encode())
        )
        while rest:
            rest = rest[os.write(FRAMES, rest) :]


def _widen(pipe: int) -> None:
    """Let `pipe` hold more than 64 KiB, so that a flood costs fewer turns."""
    try:
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _CHUNK)
    except OSError:
        return  # over the user's allowance of pipe buffers: it works as it is


def frame(letter: bytes, payload: bytes) -> bytes:
    """A letter, four bytes of length, and the payload."""
    return letter + struct.pack(">I", len(payload)) + payload


def main() -> None:
    """Read a plan and carry it out."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the end of our orders is what ends us
    if _LINUX:
        syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)
    plan: Plan = marshal.loads(_exactly(struct.unpack(">Q", _exactly(8))[0]))  # noqa: S302 - from our own server
    plan["shielded_pids"] = [*plan["shielded_pids"], os.getpid()]
    Warden(plan).run()


def _exactly(size: int) -> bytes:
    parts: list[bytes] = []
    while size > 0:
        part = os.read(ORDERS, min(size, 1 << 20))
        if not part:
            sys.exit("the plan is cut")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
