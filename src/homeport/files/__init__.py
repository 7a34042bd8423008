"""Contained access to a workspace's files, and checkpoints of them.

Answers:
    `Workspace`     read, write, list, walk, delete; nothing leads out
    `glob`, `search`  find files by name and by content
    `Checkpoints`   make one per turn, compare, undo
    `access.workspace_of`  the workspace of a project
"""
