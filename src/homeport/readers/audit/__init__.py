"""The trail: who did what to accounts, projects and the server, and when."""

from homeport.readers.audit.router import router

__all__ = ["router"]
