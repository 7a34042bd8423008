# ruff: noqa: INP001 - a script
"""Says whether the locks fit pyproject.toml, without the network.

Each requirement has a pinned version that satisfies it, each pin carries hashes, the development
lock pins what the runtime lock pins, and no line names an address. The pip that comes with the
repository is, byte for byte, the one that its lock names.
"""

from __future__ import annotations

import hashlib
import re
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)")
FLOORS = {"starlette": "1.3", "mcp": "1.28.1", "pyjwt": "2.15"}  # below them are known holes
BANNED = frozenset({"python-jose"})

Pins = dict[str, Version]


def read_lock(name: str, faults: list[str]) -> Pins:
    """The pins of one lock; what is wrong with a line goes to `faults`."""
    pins: Pins = {}
    text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
    if "://" in text:
        faults.append(f"{name}: names an address")
    for block in re.split(r"\n(?=[A-Za-z0-9])", text):
        found = PIN.match(block)
        if found is None:
            faults.append(f"{name}: not a pin: {block.splitlines()[0]!r}")
            continue
        pins[canonicalize_name(found[1])] = Version(found[2])
        if "--hash=sha256:" not in block:
            faults.append(f"{name}: {found[1]} has no hash")
    return pins


def check(requirements: list[str], pins: Pins, name: str) -> list[str]:
    """What of `requirements` the pins do not satisfy."""
    faults: list[str] = []
    for requirement in map(Requirement, requirements):
        pin = pins.get(canonicalize_name(requirement.name))
        if pin is None:
            faults.append(f"{name}: {requirement.name} is not pinned")
        elif pin not in requirement.specifier:
            faults.append(f"{name}: {requirement.name} {pin} is not {requirement.specifier}")
    return faults


def check_pip(faults: list[str]) -> None:
    """Compares the wheel in the repository with the hash of what was published."""
    pin = read_lock("pip.lock", faults)["pip"]
    lock = (ROOT / "requirements" / "pip.lock").read_text(encoding="utf-8")
    for wheel in (ROOT / "requirements").glob("*.whl"):
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        if wheel.name != f"pip-{pin}-py3-none-any.whl" or f"--hash=sha256:{digest}" not in lock:
            faults.append(f"{wheel.name}: is not what pip.lock names")


def main() -> int:
    """Prints every fault; returns the exit code."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    faults: list[str] = []
    runtime = read_lock("runtime.lock", faults)
    development = read_lock("dev.lock", faults)
    needed = project["project"]["dependencies"]
    faults += check(needed, runtime, "runtime.lock")
    faults += check([*needed, *project["dependency-groups"]["dev"]], development, "dev.lock")
    server = read_lock("servers.lock", faults)
    faults += check(project["dependency-groups"]["servers"], server, "servers.lock")
    faults += [
        f"servers.lock: {name} is {pin}, not {development[name]} as in dev.lock"
        for name, pin in server.items()
        if development.get(name, pin) != pin
    ]
    faults += [
        f"dev.lock: {name} is {development.get(name)}, not {pin} as in runtime.lock"
        for name, pin in runtime.items()
        if development.get(name) != pin
    ]
    for name, floor in FLOORS.items():
        if name in development and development[name] < Version(floor):
            faults.append(f"{name} is below {floor}, which closed a hole")
    check_pip(faults)
    faults += [f"{name} is banned" for name in sorted(BANNED & development.keys())]
    for fault in faults:
        sys.stderr.write(f"{fault}\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
