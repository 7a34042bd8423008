"""What the server tells the warden, marshalled: both ends are the same interpreter."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal, TypedDict

    Confinement = Literal["namespaces", "wrapped", "landlock", "plain"]
    Mount = tuple[str, str, str | bytes]

    class Plan(TypedDict):
        """One command, decided in every detail."""

        confinement: Confinement
        argv: list[str]
        env: dict[str, str]
        workspace: str
        cwd: str
        stdin: bytes
        merge: bool
        live: bool
        network: bool
        uid: int
        gid: int
        wall_s: float
        memory_bytes: int
        processes: int
        file_bytes: int
        free_bytes: int
        disks: list[str]
        cpu_s: int
        output_bytes: int
        flood_bytes: int
        wrapper: list[str]
        wrapper_words: list[str]
        wrapper_files: list[bytes]
        mounts: list[Mount]
        pins: list[tuple[str, bool]]
        readable: list[str]
        writable: list[str]
        shielded_pids: list[int]
