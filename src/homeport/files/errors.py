"""What goes wrong with files and checkpoints.

Forbidden    OutsideWorkspace, ProtectedPath, NotPermitted
NotFound     FileNotFound
Invalid      BadPath, NotAFile, NotAFolder, BadPattern, SearchEnded (PatternTooSlow)
Conflict     FileExists, FolderNotEmpty, FileBusy, UndoConflict
PreconditionFailed  FileChanged
TooLarge     FileTooLarge
Gone         CheckpointGone
Unavailable  WorkspaceMissing, CheckpointFailed;  StorageFull  WorkspaceFull
"""

from __future__ import annotations

from homeport.kernel.errors import (
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    PreconditionFailed,
    StorageFull,
    TooLarge,
    Unavailable,
)


class OutsideWorkspace(Forbidden):
    """The path leads out of the workspace, by itself or through a symbolic link."""

    code = "files.outside-workspace"
    title = "The path leads out of the workspace"


class ProtectedPath(Forbidden):
    """The path is one that programs outside the sandbox act upon: read it, do not write it."""

    code = "files.protected"
    title = "This path is protected"


class NotPermitted(Forbidden):
    """The operating system does not let the server do it (permissions, a read-only file system)."""

    code = "files.not-permitted"
    title = "The operating system does not permit it"


class FileNotFound(NotFound):
    """Nothing is there, or it vanished."""

    code = "files.not-found"
    title = "File not found"


class BadPath(Invalid):
    """No file system could hold such a name."""

    code = "files.bad-path"
    title = "This is not a path"


class NotAFile(Invalid):
    """A folder, a device, a pipe or a socket where a regular file was expected."""

    code = "files.not-a-file"
    title = "Not a regular file"


class NotAFolder(Invalid):
    """A file where a folder was expected."""

    code = "files.not-a-folder"
    title = "Not a folder"


class BadPattern(Invalid):
    """The glob or regular expression cannot be used; the detail says why."""

    code = "files.bad-pattern"
    title = "The pattern is not valid"


class SearchEnded(Invalid):
    """The search took too long, or nobody waits for it any more; not everything was looked at."""

    code = "files.search-ended"
    title = "The search takes too long"


class PatternTooSlow(SearchEnded):
    """The regular expression took too long or too much memory on these files."""

    code = "files.pattern-too-slow"
    title = "The pattern takes too long"


class FileExists(Conflict):
    """Something is there already."""

    code = "files.exists"
    title = "There is something at this path already"


class FolderNotEmpty(Conflict):
    """The folder still holds something."""

    code = "files.folder-not-empty"
    title = "The folder is not empty"


class FileBusy(Conflict):
    """The tree changed under the operation again and again; nothing was done."""

    code = "files.busy"
    title = "The path keeps changing"


class FileChanged(PreconditionFailed):
    """The file is not the one whose ETag was given."""

    code = "files.changed"
    title = "The file has changed since you read it"


class FileTooLarge(TooLarge):
    """More bytes than may be held at once: read it in parts."""

    code = "files.too-large"
    title = "The file is too large"


class WorkspaceMissing(Unavailable):
    """The workspace's directory is not there: deleted, moved, or on a volume of another node."""

    code = "project.volume-elsewhere"
    title = "The workspace is not on this machine"


class WorkspaceFull(StorageFull):
    """No space is left for the file; nothing was changed."""

    code = "files.no-space"
    title = "No space left in the workspace"


class UndoConflict(Conflict):
    """Files that would be restored changed after the run ended; member `paths` names them."""

    code = "undo.conflict"
    title = "Files have changed since the run ended"


class CheckpointGone(Gone):
    """The checkpoint was pruned, or never was one of this workspace."""

    code = "undo.checkpoint-gone"
    title = "This checkpoint is no longer kept"


class CheckpointFailed(Unavailable):
    """git could not do its part; the workspace is as it was unless the detail says otherwise."""

    code = "undo.checkpoint-failed"
    title = "The checkpoint could not be made or used"
