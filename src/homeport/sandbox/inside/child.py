"""The last steps of the process that becomes the command."""

# Importing pathlib would cost every command several milliseconds.
# ruff: noqa: PTH109

from __future__ import annotations

import errno
import os
import resource
import signal
import sys

from homeport.sandbox.inside import landlock, seccomp, syscalls, tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from homeport.sandbox.inside.plan import Plan

NOT_FOUND, NOT_STARTED, NOT_CONFINED = 127, 126, 125
FAILURE = 3
_OPEN_FILES = 65_536


def take_streams(streams: tuple[int, int, int], failure: int) -> None:
    """Make `streams` 0, 1 and 2 and `failure` `FAILURE`, and close all else.

    All must be above 3. The session is left, and with it any terminal.
    """
    os.setsid()
    for target, source in enumerate((*streams, failure)):
        os.dup2(source, target, inheritable=target != FAILURE)
    syscalls.close_except({0, 1, 2, FAILURE})


def become(plan: Plan, failure: int) -> None:
    """Confine this process as `plan` says and turn it into the command; never returns.

    Its standard streams are in place. A box that cannot be closed is told over the descriptor
    `failure`, and the command is not run.
    """
    try:
        _confine(plan)
        _change_directory(plan)
    except BaseException as error:  # noqa: BLE001 - a half-closed box runs nothing
        os.write(failure, f"failed {type(error).__name__}: {error}".encode()[:4000])
        os._exit(NOT_CONFINED)
    _execute([*_wrapper(plan), *plan["argv"]], plan["env"])


def _confine(plan: Plan) -> None:
    for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    signal.set_wakeup_fd(-1)
    os.umask(0o022)
    _limit(plan)
    kind = plan["confinement"]
    if kind in {"wrapped", "plain"}:
        return  # a wrapper does the rest, and hands the command our filter
    syscalls.drop_capabilities()
    syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
    if kind == "landlock":
        landlock.restrict(plan["readable"], plan["writable"], network=plan["network"])
    else:
        landlock.scope()
    seccomp.install(filter_of(plan))


def filter_of(plan: Plan) -> bytes:
    """The seccomp filter that belongs to `plan`."""
    isolated = plan["confinement"] != "landlock"
    version = landlock.abi()
    hidden = isolated or version >= landlock.ABI_SCOPES
    return seccomp.program(
        seccomp.this_machine(),
        families=seccomp.families(network=plan["network"] or isolated, unix=isolated),
        isolated=isolated,
        truncate=isolated or version >= landlock.ABI_TRUNCATE,
        shielded=() if hidden else tuple(plan["shielded_pids"]),
    )


def _wrapper(plan: Plan) -> list[str]:
    """How the wrapper is called.

    Each `{fd:n}` among its words becomes a descriptor with the n-th file's content, and `{words}`
    one with the words, each ended by NUL.
    """
    words = list(plan["wrapper_words"])
    for index, content in enumerate(plan["wrapper_files"]):
        descriptor = _file(content)
        words = [str(descriptor) if word == f"{{fd:{index}}}" else word for word in words]
    if not words:
        return plan["wrapper"]
    told = str(_file(b"".join(os.fsencode(word) + b"\0" for word in words)))
    return [told if word == "{words}" else word for word in plan["wrapper"]]


def _file(content: bytes) -> int:
    descriptor = os.memfd_create("homeport", 0)
    os.write(descriptor, content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _limit(plan: Plan) -> None:
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_FSIZE, plan["file_bytes"])
    _lower(resource.RLIMIT_CPU, plan["cpu_s"], grace=1)  # SIGXCPU first, then SIGKILL
    _lower(resource.RLIMIT_NOFILE, _OPEN_FILES)
    # RLIMIT_AS would count what runtimes only reserve; DATA counts what can be written to
    _lower(resource.RLIMIT_DATA, plan["memory_bytes"])
    if sys.platform == "linux":
        # Counted per user namespace (Linux 5.14). In one of the command's own that is all of its
        # processes; elsewhere it comes on top of what this user has already. Root has no such
        # limit, and so gets a pid namespace with a limit instead.
        others = 1 if plan["confinement"] == "namespaces" else tree.threads_of_user(os.geteuid())
        _lower(resource.RLIMIT_NPROC, plan["processes"] + others)


def _lower(which: int, value: int, *, grace: int = 0) -> None:
    _, hard = resource.getrlimit(which)
    highest = value + grace if hard == resource.RLIM_INFINITY else min(value + grace, hard)
    try:
        resource.setrlimit(which, (min(value, highest), highest))
    except (ValueError, OSError):
        if hasattr(os, "O_PATH"):
            raise
        # macOS knows names of limits that it does not take


def _change_directory(plan: Plan) -> None:
    if not plan["cwd"]:
        return  # only the wrapper sees the inside
    os.chdir(plan["cwd"])
    here, workspace = os.getcwd(), os.path.realpath(plan["workspace"])
    if here != workspace and not here.startswith(workspace.rstrip("/") + "/"):
        message = "the working directory lies outside the workspace"
        raise PermissionError(errno.EPERM, message)


def _execute(argv: list[str], env: dict[str, str]) -> None:
    """Become the program; `os.execvpe` would import a module, which may be out of sight by now."""
    program, problem = argv[0], errno.ENOENT
    places = [""] if "/" in program else [f"{place}/" for place in env["PATH"].split(":")]
    for place in places:
        try:
            os.execve(place + program, argv, env)  # noqa: S606 - this is what the program is for
        except OSError as error:
            if error.errno not in {errno.ENOENT, errno.ENOTDIR}:
                problem = error.errno or errno.EIO
    if problem == errno.ENOENT:
        os.write(2, f"{program}: command not found\n".encode())
        os._exit(NOT_FOUND)
    os.write(2, f"{program}: {os.strerror(problem)}\n".encode())
    os._exit(NOT_STARTED)
