"""Starts a program with the rights that root has in a container, and no others.

Usage: container_rights.py PROGRAM ARGUMENT...
"""

from __future__ import annotations

import ctypes
import os
import sys

PR_CAPBSET_DROP = 24
LAST_CAPABILITY = 63
# chown dac_override fowner fsetid kill setgid setuid setpcap net_bind_service net_raw sys_chroot
# mknod audit_write setfcap: what container engines leave to root by default.
KEPT = {0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 27, 29, 31}


def main() -> None:
    """Drops the rest from what a program of root's gets, and becomes the program."""
    libc = ctypes.CDLL(None)
    for capability in set(range(LAST_CAPABILITY + 1)) - KEPT:
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)  # those that the kernel lacks are refused
    os.execv(sys.argv[1], sys.argv[1:])


if __name__ == "__main__":
    main()
