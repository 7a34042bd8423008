"""What a client may say on the WebSocket of many sessions, and what is answered.

Each command is one text message with an `id` of the client's own, and gets exactly one answer that
carries it: `{type: "ack", id, result}`, or `{type: "error", id, ...}` with the members of the error
document. A command that changes something is the route of the same meaning, called by its function.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, cast

import orjson
from pydantic import BaseModel, Field, StringConstraints, TypeAdapter, ValidationError
from starlette.types import Scope

from homeport.dispatch.dispatcher import Dispatcher
from homeport.eventlog import EventLog
from homeport.identity.access import Caller
from homeport.identity.roles import API_WRITE
from homeport.identity.signatures.enforcement import Signatures, refuse_unsigned
from homeport.kernel.errors import Unprocessable
from homeport.kernel.http.errors import (
    error_document,
    known_failure,
    unprocessable,
)
from homeport.kernel.http.strict_json import check_json
from homeport.sessions.router.approvals import answer_approval
from homeport.sessions.router.messages import send_message
from homeport.sessions.router.runs import stop_one_run
from homeport.sessions.schemas import AnswerBody, Body, NewMessage
from homeport.tools.registry import Registry

CommandId = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class Subscribe(Body):
    """Follow a session from a cursor, as `GET /v1/sessions/{id}/stream` does."""

    type: Literal["subscribe"]
    id: CommandId
    session_id: str
    after: str | None = None


class Unsubscribe(Body):
    """Follow it no longer; the result says where the client stands."""

    type: Literal["unsubscribe"]
    id: CommandId
    session_id: str


class SendMessage(NewMessage):
    """A message to a session."""

    route: ClassVar[str] = "POST /v1/sessions/{session_id}/messages"
    type: Literal["message.send"]
    id: CommandId
    session_id: str


class StopRun(Body):
    """Stop a run."""

    route: ClassVar[str] = "POST /v1/runs/{run_id}/stop"
    type: Literal["run.stop"]
    id: CommandId
    run_id: str


class DecideApproval(AnswerBody):
    """Answer a question of the agent."""

    route: ClassVar[str] = "POST /v1/approvals/{approval_id}"
    type: Literal["approval.decide"]
    id: CommandId
    approval_id: str


Change = SendMessage | StopRun | DecideApproval
"""What changes something; `route` does the same over HTTP."""
Command = Subscribe | Unsubscribe | Change
_COMMAND: TypeAdapter[Command] = TypeAdapter(Annotated[Command, Field(discriminator="type")])


@dataclass(frozen=True, slots=True)
class Commands:
    """Carries out what changes something."""

    log: EventLog
    dispatcher: Dispatcher
    tools: Registry
    signatures: Signatures | None

    async def perform(self, caller: Caller, command: Change) -> BaseModel:
        """What the route answers.

        Raises:
            SignatureRequired: The route wants a signature of this caller; a frame carries none.
            HomeportError: As the route does.
        """
        critical = self.signatures is not None and self.signatures.critical
        refuse_unsigned(caller, route=command.route, critical=critical)
        caller.require(API_WRITE)
        match command:
            case SendMessage():
                return await send_message(
                    session_id=command.session_id,
                    body=command,
                    caller=caller,
                    log=self.log,
                    dispatcher=self.dispatcher,
                )
            case StopRun():
                return await stop_one_run(
                    run_id=command.run_id,
                    caller=caller,
                    log=self.log,
                    dispatcher=self.dispatcher,
                )
            case DecideApproval():
                return await answer_approval(
                    approval_id=command.approval_id,
                    body=command,
                    caller=caller,
                    log=self.log,
                    dispatcher=self.dispatcher,
                    tools=self.tools,
                )


def read_json(text: str) -> Any:
    """A message as JSON.

    Raises:
        MalformedJSON: It is none that everybody reads alike.
    """
    data = text.encode()
    check_json(data)
    return orjson.loads(data)


def id_of(message: Any) -> str | None:
    """The id that the answer to `message` carries, when it has one."""
    if isinstance(message, dict):
        given = cast("dict[str, Any]", message).get("id")
        if isinstance(given, str) and 1 <= len(given) <= 64:
            return given
    return None


def is_following(message: Any) -> bool:
    """Whether `message` begins or ends a stream, and counts as one that is opened."""
    if not isinstance(message, dict):
        return False
    return cast("dict[str, Any]", message).get("type") in {"subscribe", "unsubscribe"}


def read_command(message: Any) -> Command:
    """The command that `message` is.

    Raises:
        Unprocessable: It is none; the details say where.
    """
    if not isinstance(message, dict):
        raise Unprocessable("A command is a JSON object.")
    try:
        return _COMMAND.validate_python(message)
    except ValidationError as error:
        faults = [{**each, "loc": ("message", *each["loc"])} for each in error.errors()]
        raise unprocessable(faults) from None


def ack(command: Command, result: BaseModel | dict[str, Any]) -> bytes:
    """The answer to a command that was carried out."""
    told = result if isinstance(result, dict) else result.model_dump(mode="json")
    return orjson.dumps({"type": "ack", "id": command.id, "result": told})


def refusal(error: Exception, scope: Scope, command_id: str | None) -> bytes:
    """The answer to a command that was not: the error document, with `error` as its type."""
    known = known_failure(error, scope)
    document = error_document(known, scope)
    if known.retry_after is not None:
        document["retry_after"] = known.retry_after
    return orjson.dumps(document | {"type": "error", "id": command_id}, default=str)
