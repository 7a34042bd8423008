"""The composition root: one process out of the rooms, opened in order, closed in reverse.

A room adds two or three lines here: a function that takes the house, makes its parts, and provides
them; its name in `ROOMS`; its routers in `ROUTERS`. Nothing below this package reads the settings.
"""

from homeport.wiring.house import House, UnsafeSettings, refuse_unsafe
from homeport.wiring.opening import open_house
from homeport.wiring.routes import DEVELOPMENT_ROUTERS, ROUTERS

__all__ = [
    "DEVELOPMENT_ROUTERS",
    "ROUTERS",
    "House",
    "UnsafeSettings",
    "open_house",
    "refuse_unsafe",
]
