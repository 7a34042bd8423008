"""The one place that turns a failure into HTTP.

Domain errors come by their kind; what the framework raises is brought into the same document;
anything else is a 500 whose `error_id` stands in the log beside the traceback.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, cast

import orjson
import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError, WebSocketRequestValidationError
from starlette.exceptions import HTTPException  # noqa: TID251 - translated here, raised nowhere
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from homeport.kernel import errors
from homeport.kernel.http.documents import MEDIA_TYPE
from homeport.kernel.http.refusals import tell
from homeport.kernel.ids import new_id

LONGEST_INSTANCE = 256
LONGEST_WORD = 120
MOST_DETAILS = 50

log = structlog.stdlib.get_logger(__name__)


class Face(NamedTuple):
    """How a kind looks over HTTP: the status, and OpenAI's word for it."""

    status: int
    type: str


FACES: Mapping[type[errors.HomeportError], Face] = {
    errors.HomeportError: Face(500, "api_error"),
    errors.Invalid: Face(400, "invalid_request_error"),
    errors.Unauthenticated: Face(401, "authentication_error"),
    errors.PaymentRequired: Face(402, "billing_error"),
    errors.Forbidden: Face(403, "permission_error"),
    errors.NotFound: Face(404, "not_found_error"),
    errors.Conflict: Face(409, "conflict_error"),
    errors.Gone: Face(410, "not_found_error"),
    errors.PreconditionFailed: Face(412, "conflict_error"),
    errors.TooLarge: Face(413, "request_too_large"),
    errors.UnsupportedMedia: Face(415, "invalid_request_error"),
    errors.Unprocessable: Face(422, "invalid_request_error"),
    errors.Locked: Face(423, "permission_error"),
    errors.RateLimited: Face(429, "rate_limit_error"),
    errors.Upstream: Face(502, "api_error"),
    errors.Unavailable: Face(503, "overloaded_error"),
    errors.TimedOut: Face(504, "timeout_error"),
    errors.StorageFull: Face(507, "api_error"),
}


class MethodNotAllowed(errors.Invalid):
    """The path is known, the method is not."""

    code = "request.method-not-allowed"
    title = "This method is not offered here"


class PathNotFound(errors.NotFound):
    """No route has this path."""

    code = "request.path-not-found"
    title = "No such path"


class MalformedBody(errors.Invalid):
    """The body cannot be read as what it says it is."""

    code = "request.malformed-body"
    title = "The body cannot be read"


class Internal(errors.HomeportError):
    """A mistake of ours; the log knows more under `error_id`."""

    code = "internal"
    title = "Homeport made a mistake"


def face_of(error: errors.HomeportError) -> Face:
    """The nearest kind's face."""
    if isinstance(error, MethodNotAllowed):
        return Face(405, "invalid_request_error")
    return next(FACES[kind] for kind in type(error).__mro__ if kind in FACES)


def error_document(error: errors.HomeportError, scope: Scope) -> dict[str, Any]:
    """The document of DESIGN section 5 for `error`, by which the request of `scope` is answered.

    Whatever is refused is refused with one, so this is where refusals are told.
    """
    tell(error, scope)
    face = face_of(error)
    members = dict(error.members)
    details = members.pop("details", [])
    return {
        **members,
        "type": f"urn:homeport:error:{error.code}",
        "title": error.title,
        "status": face.status,
        "detail": error.detail,
        "instance": str(scope.get("path", ""))[:LONGEST_INSTANCE],
        "request_id": scope.get("homeport.request_id", ""),
        "error": {
            "code": error.code,
            "type": face.type,
            "message": error.detail,
            "status": face.status,
            "param": error.param,
            "details": details,
        },
    }


def error_response(error: errors.HomeportError, scope: Scope) -> Response:
    """The answer for `error`."""
    document = error_document(error, scope)
    headers: dict[str, str] = {}
    if error.retry_after is not None:
        headers["retry-after"] = str(max(1, math.ceil(error.retry_after)))
    if document["status"] == 401:
        headers["www-authenticate"] = 'Bearer realm="homeport"'
    return Response(
        orjson.dumps(document, default=str),
        status_code=document["status"],
        headers=headers,
        media_type=MEDIA_TYPE,
    )


def known_failure(error: Exception, scope: Scope) -> errors.HomeportError:
    """`error` as it may be told; what nobody foresaw is logged with its traceback."""
    if isinstance(error, errors.HomeportError) and face_of(error).status != 500:
        return error
    error_id = new_id()
    log.error(
        "request.failed",
        error_id=error_id,
        method=scope.get("method"),
        path=str(scope.get("path", ""))[:LONGEST_INSTANCE],
        exc_info=error,
    )
    detail = f"This is a mistake of ours. The operator finds it in the log as {error_id}."
    return Internal(detail, error_id=error_id)


def failure_response(error: Exception, scope: Scope) -> Response:
    """The answer for anything that was raised."""
    return error_response(known_failure(error, scope), scope)


def unprocessable(faults: Sequence[Mapping[str, Any]]) -> errors.Unprocessable:
    """The 422 for pydantic's faults: where and what, never the input itself."""
    details = [
        {
            "loc": [_short(part) for part in cast("Iterable[object]", fault["loc"])],
            "message": str(fault["msg"])[:LONGEST_WORD],
            "type": str(fault["type"]),
        }
        for fault in faults[:MOST_DETAILS]
    ]
    places = [".".join(map(str, detail["loc"])) for detail in details[:3]]
    first = f"{details[0]['message']} (at {', '.join(places)})" if details else None
    way = details[0]["loc"] if details else []
    param = ".".join(map(str, way[1:])) or None
    return errors.Unprocessable(first, param=param, details=details)


def install_error_handlers(app: FastAPI) -> None:
    """Gives `app` the mapper for what handlers and the framework raise."""
    app.add_exception_handler(errors.HomeportError, _on_homeport_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(WebSocketRequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_framework_error)
    app.router.default = _nowhere


async def _nowhere(_scope: Scope, _receive: Receive, _send: Send) -> None:
    """No route has this path; of itself the framework would only say so over HTTP."""
    raise PathNotFound


async def _on_homeport_error(connection: HTTPConnection, error: Exception) -> Response:
    return failure_response(error, connection.scope)


async def _on_invalid_request(connection: HTTPConnection, error: Exception) -> Response:
    known = cast("RequestValidationError | WebSocketRequestValidationError", error)
    if isinstance(known, RequestValidationError) and isinstance(known.body, bytes):
        # not read as JSON, and its faults would quote it
        refused = errors.UnsupportedMedia("Send Content-Type: application/json.")
        return error_response(refused, connection.scope)
    faults = cast("Sequence[Mapping[str, Any]]", known.errors())
    if any(fault["type"] == "json_invalid" for fault in faults):
        return error_response(MalformedBody("The body is not valid JSON."), connection.scope)
    return error_response(unprocessable(faults), connection.scope)


async def _on_framework_error(connection: HTTPConnection, error: Exception) -> Response:
    known = cast("HTTPException", error)
    if isinstance(known.__cause__, errors.HomeportError):  # raised while the body was read
        return failure_response(known.__cause__, connection.scope)
    match known.status_code:
        case 404:
            response = error_response(PathNotFound(), connection.scope)
        case 405:
            response = error_response(MethodNotAllowed(), connection.scope)
            response.headers["allow"] = (known.headers or {}).get("Allow", "")
        case 413:
            response = error_response(errors.TooLarge(), connection.scope)
        case status if 400 <= status < 500:
            response = error_response(MalformedBody(), connection.scope)
        case _:
            response = failure_response(known, connection.scope)
    return response


def _short(part: object) -> str | int:
    return part if isinstance(part, int) else str(part)[:LONGEST_WORD]
