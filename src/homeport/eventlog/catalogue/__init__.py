"""The closed catalogue: a fact that is not defined in one of these modules does not exist."""

from homeport.eventlog.catalogue import access as access
from homeport.eventlog.catalogue import account as account
from homeport.eventlog.catalogue import approval as approval
from homeport.eventlog.catalogue import audit as audit
from homeport.eventlog.catalogue import context as context
from homeport.eventlog.catalogue import factor as factor
from homeport.eventlog.catalogue import invitation as invitation
from homeport.eventlog.catalogue import member as member
from homeport.eventlog.catalogue import message as message
from homeport.eventlog.catalogue import pairing as pairing
from homeport.eventlog.catalogue import passkey as passkey
from homeport.eventlog.catalogue import payload as payload
from homeport.eventlog.catalogue import project as project
from homeport.eventlog.catalogue import request_key as request_key
from homeport.eventlog.catalogue import retired as retired
from homeport.eventlog.catalogue import run as run
from homeport.eventlog.catalogue import secret as secret
from homeport.eventlog.catalogue import session as session
from homeport.eventlog.catalogue import signing_key as signing_key
from homeport.eventlog.catalogue import tool as tool
from homeport.eventlog.catalogue import workspace as workspace
from homeport.eventlog.catalogue.base import Event, catalogue, decode

__all__ = ["Event", "catalogue", "decode"]
