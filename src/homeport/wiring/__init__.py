"""The composition root: one process out of the rooms, opened in order, closed in reverse.

A room adds two or three lines here: a function that takes the house, makes its parts, and provides
them; its name in `ROOMS`; its routers in `ROUTERS`. Nothing below this package reads the settings.

Nothing is exported here: a command that needs the secret must not import every room for it.
"""
