"""Wake-ups between nodes: that there is something new in the database, and where to look.

A wake-up is a hint and nothing else. Nobody shows, stores or decides by what it says: whoever hears
one asks the database, and would have asked it within a second anyway. So a carrier that loses,
repeats, delays or invents wake-ups makes things later or costs a read, and can do no more.
"""

from homeport.kernel.wakeups.carrier import Carrier, CarrierLost
from homeport.kernel.wakeups.wakeups import Wakeups

__all__ = ["Carrier", "CarrierLost", "Wakeups"]
