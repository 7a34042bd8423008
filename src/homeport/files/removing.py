"""Removes whole directories. Blocks; call it in a thread."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def remove_tree(place: Path) -> None:
    """Removes a directory with all that is in it, and no link's target; gone is gone.

    A folder that its owner has closed to everybody is opened first.

    Raises:
        OSError: Something in it cannot be removed; what could be, is.
    """
    try:
        shutil.rmtree(place)
    except FileNotFoundError:
        return
    except PermissionError:
        _open_folders(place)
        shutil.rmtree(place)


def _open_folders(place: Path) -> None:
    place.chmod(0o700)
    for folder, names, _ in os.walk(place):  # a folder's own are opened before they are entered
        for name in names:
            inner = Path(folder, name)
            if not inner.is_symlink():
                inner.chmod(0o700)
