"""What travels: bodies and answers of the sessions' routes, by theme."""

from homeport.sessions.schemas.approval import AnswerBody, ApprovalPage, ApprovalView
from homeport.sessions.schemas.base import Body, Timestamp, bounded
from homeport.sessions.schemas.message import Accepted, NewMessage, RunStopped
from homeport.sessions.schemas.session import (
    Acknowledged,
    Archived,
    ClearBody,
    ForkBody,
    NewSession,
    SessionChange,
    SessionPage,
    SessionSums,
    SessionView,
    StopBody,
    Stopped,
)
from homeport.sessions.schemas.tool import ToolExecution, ToolReport

__all__ = [
    "Accepted",
    "Acknowledged",
    "AnswerBody",
    "ApprovalPage",
    "ApprovalView",
    "Archived",
    "Body",
    "ClearBody",
    "ForkBody",
    "NewMessage",
    "NewSession",
    "RunStopped",
    "SessionChange",
    "SessionPage",
    "SessionSums",
    "SessionView",
    "StopBody",
    "Stopped",
    "Timestamp",
    "ToolExecution",
    "ToolReport",
    "bounded",
]
