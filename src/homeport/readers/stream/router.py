"""What a session's clients read: the stream, the long-poll, and one event whole."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query
from starlette.responses import Response

from homeport.eventlog import EventLog, read
from homeport.eventlog.cursor import LARGEST
from homeport.identity.access import SignedIn
from homeport.identity.following import Following
from homeport.kernel.http.provide import provided
from homeport.readers.stream.errors import EventNotFound
from homeport.readers.stream.frame import whole_event
from homeport.readers.stream.longpoll import answer
from homeport.readers.stream.pulse import Pulse
from homeport.readers.stream.reader import Reader
from homeport.readers.stream.schemas import FrameDocument, Frames
from homeport.readers.stream.sse import EventStream
from homeport.readers.stream.visible import visible
from homeport.sessions.access import session_for, stream_of

LONGEST_WAIT_S = 60
MOST_FRAMES = 1_000

router = APIRouter(prefix="/v1/sessions/{session_id}", tags=["stream"])

Log = Annotated[EventLog, provided(EventLog)]
Beat = Annotated[Pulse, provided(Pulse)]
After = Annotated[
    str | None,
    Query(
        description="The last cursor that was received. Absent: from the open message, else from "
        "the end of the log; `0`: from the beginning.",
    ),
]
_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Frames `id: <cursor>`, `event: <kind>`, `data: <FrameDocument>`; the first "
        "is a `stream.heartbeat` that states the cursor. Ends with `server.draining` when the "
        "server is about to go.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}


@router.get("/stream", response_class=Response, responses=_STREAM)
async def stream(
    session_id: str,
    caller: Following,
    log: Log,
    pulse: Beat,
    *,
    after: After = None,
    last_event_id: Annotated[
        str | None,
        Header(description="As `after`, and goes before it."),
    ] = None,
) -> Response:
    """Follow the session: what happened behind a cursor, then what happens, as it happens."""
    return EventStream(
        log,
        pulse,
        caller,
        stream=stream_of(session_id),
        after=last_event_id or after,
        check=visible(caller, session_id),
    )


@router.get("/events", response_class=Response, responses={200: {"model": Frames}})
async def events(
    session_id: str,
    caller: SignedIn,
    log: Log,
    pulse: Beat,
    *,
    after: After = None,
    limit: Annotated[int, Query(ge=1, le=MOST_FRAMES)] = 100,
    wait: Annotated[
        float, Query(ge=0, le=LONGEST_WAIT_S, description="Seconds to wait while there is nothing.")
    ] = 0,
) -> Response:
    """Read what happened behind a cursor; the same frames as on the stream, as one answer."""
    check = visible(caller, session_id)
    with pulse.seat(caller):
        reader = await Reader.open(log, stream_of(session_id), after, check=check)
        try:
            with pulse.line(reader, caller) as line:
                body = await answer(line, limit=limit, wait_s=wait)
        finally:
            reader.close()
    headers = {"cache-control": "no-store"}
    return Response(body, media_type="application/json", headers=headers)


@router.get("/events/{seq}", response_class=Response, responses={200: {"model": FrameDocument}})
async def event(
    session_id: str, seq: Annotated[int, Path(ge=1, le=LARGEST)], caller: SignedIn, log: Log
) -> Response:
    """One stored event with everything in it: what the `href` of a truncated member leads to."""
    async with log.database.read() as session:
        await session_for(session, caller, session_id)
        record = await read.record_at(session, stream_of(session_id), seq)
    if record is None:
        raise EventNotFound(f"This session has no event {seq}.")
    return Response(whole_event(record), media_type="application/json")
