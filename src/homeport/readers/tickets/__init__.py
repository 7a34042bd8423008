"""Tickets for streams: what a page fetches that cannot send headers with one."""

from homeport.readers.tickets.router import router

__all__ = ["router"]
