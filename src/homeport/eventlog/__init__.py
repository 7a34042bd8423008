"""One append-only log: what happens is an event in it, what looks is a reader of it."""

from homeport.eventlog.append import Unit
from homeport.eventlog.catalogue.base import Event
from homeport.eventlog.cursor import Cursor
from homeport.eventlog.erasure import Erased, Eraser
from homeport.eventlog.log import EventLog
from homeport.eventlog.record import Record

__all__ = ["Cursor", "Erased", "Eraser", "Event", "EventLog", "Record", "Unit"]
