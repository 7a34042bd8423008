"""What the sessions' endpoints ask wiring for, by type."""

from __future__ import annotations

from typing import Annotated

from homeport.dispatch.dispatcher import Dispatcher
from homeport.eventlog import Eraser, EventLog
from homeport.identity.signatures.enforcement import Signatures
from homeport.kernel.http.provide import provided, provided_if_any
from homeport.projects.places import Places
from homeport.projects.policy import Limits
from homeport.providers.models import Models
from homeport.sessions.policy import SessionPolicy
from homeport.sessions.service.delete import Deletion
from homeport.tools.registry import Registry

Log = Annotated[EventLog, provided(EventLog)]
Hands = Annotated[Dispatcher, provided(Dispatcher)]
Offered = Annotated[Models, provided(Models)]
Where = Annotated[Places, provided(Places)]
Bounds = Annotated[Limits, provided(Limits)]
Policy = Annotated[SessionPolicy, provided(SessionPolicy)]
Deleting = Annotated[Deletion, provided(Deletion)]
Erasing = Annotated[Eraser, provided(Eraser)]
Tools = Annotated[Registry, provided(Registry)]
Signed = Annotated[Signatures | None, provided_if_any(Signatures)]
