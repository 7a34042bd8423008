"""Who runs what: a fenced lease on the run's own row, the same code on one node and on many."""

from homeport.dispatch.lease import Claim, Lease, LeaseLost
from homeport.dispatch.queue import enqueue

__all__ = ["Claim", "Lease", "LeaseLost", "enqueue"]
