"""What was said and done in a conversation: pages over the log, found by the sessions' indexes."""

from homeport.readers.history.router import router

__all__ = ["router"]
