"""Counts of what happens per minute: in this process, or for all nodes in a Redis.

What counts as too much is the business of whoever asks. Losing the Redis costs precision between
nodes and never a limit: each node then counts for itself.
"""

from homeport.kernel.rates.counters import Counters, CountersLost, MemoryCounters, Tally
from homeport.kernel.rates.shared import SharedCounters

__all__ = ["Counters", "CountersLost", "MemoryCounters", "SharedCounters", "Tally"]
