"""What can go wrong with a run, beside what its rooms below report.

Conflict
└── RunNotOver        it is still at work: undo comes after it
NotFound
└── NoCheckpoint      the run changed nothing that could be undone
"""

from __future__ import annotations

from homeport.kernel.errors import Conflict, NotFound


class RunNotOver(Conflict):
    """The run is still at work."""

    code = "run.not-over"
    title = "The run is not over"


class NoCheckpoint(NotFound):
    """There is no checkpoint of that run and turn."""

    code = "undo.no-checkpoint"
    title = "Nothing to undo"
