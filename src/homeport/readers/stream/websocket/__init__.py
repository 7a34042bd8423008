"""The stream on WebSockets: one session as it happens, or many, with commands beside them."""

from homeport.readers.stream.websocket.router import router
from homeport.readers.stream.websocket.sockets import Sockets

__all__ = ["Sockets", "router"]
