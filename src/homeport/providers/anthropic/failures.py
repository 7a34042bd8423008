"""The provider's failures, as statuses and as events in the stream, in our own types."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, cast

import orjson

from homeport.kernel.clock import utc_now
from homeport.kernel.errors import HomeportError
from homeport.providers.errors import (
    ProviderCredentials,
    ProviderError,
    ProviderOverloaded,
    ProviderRateLimited,
    ProviderRefused,
    ProviderTimeout,
    UnknownModel,
)

# Types of the API's error object; what is not here is the provider's own failure.
BY_TYPE: dict[str, type[ProviderError]] = {
    "authentication_error": ProviderCredentials,
    "permission_error": ProviderCredentials,
    "billing_error": ProviderCredentials,
    "rate_limit_error": ProviderRateLimited,
    "overloaded_error": ProviderOverloaded,
    "timeout_error": ProviderTimeout,
    "invalid_request_error": ProviderRefused,
    "request_too_large": ProviderRefused,
    "not_found_error": ProviderRefused,
}
BY_STATUS: dict[int, type[ProviderError]] = {
    401: ProviderCredentials,
    402: ProviderCredentials,
    403: ProviderCredentials,
    408: ProviderTimeout,
    409: ProviderOverloaded,
    429: ProviderRateLimited,
    503: ProviderOverloaded,
    504: ProviderTimeout,
    529: ProviderOverloaded,
}
NOT_FOUND, CLIENT_ERRORS = 404, range(400, 500)
LONGEST_MESSAGE = 1_000


def failure_of_answer(
    status: int, headers: Mapping[str, str], body: bytes, *, model: str
) -> HomeportError:
    """The error for an answer that is no stream.

    Args:
        status: HTTP status.
        headers: `retry-after-ms`, `retry-after`, `x-should-retry` and `request-id` are read.
        body: The API's error document, or whatever a proxy put in its place.
        model: The model that was asked for.
    """
    kind, message = _read_error(body)
    if status == NOT_FOUND and kind in {"not_found_error", ""} and "model" in message:
        return UnknownModel(f"The provider knows no model {model!r}.", param="model")
    default = ProviderRefused if status in CLIENT_ERRORS else ProviderError
    failure = BY_STATUS.get(status, default)
    told = {"true": True, "false": False}.get(headers.get("x-should-retry", ""))
    return failure(
        message or f"The provider answered with status {status}.",
        retryable=told,
        retry_after=read_retry_after(headers),
        upstream_status=status,
        upstream_request_id=headers.get("request-id"),
    )


def failure_of_event(data: dict[str, Any], *, started: bool) -> ProviderError:
    """The error for an `error` event in the stream."""
    kind, message = _read_members(data)
    failure = BY_TYPE.get(kind, ProviderError)
    return failure(message or "The provider ended the stream with an error.", started=started)


def read_retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait: milliseconds if given, else RFC 9110's seconds or date; None if neither."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) * unit
        except ValueError:
            continue
        if 0 <= seconds < float("inf"):
            return seconds
    try:
        moment = parsedate_to_datetime(headers.get("retry-after", ""))
        return max((moment - utc_now()).total_seconds(), 0.0)
    except (TypeError, ValueError):
        return None


def _read_error(body: bytes) -> tuple[str, str]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return "", ""
    return _read_members(document)


def _read_members(document: object) -> tuple[str, str]:
    error: object = (
        cast("dict[str, Any]", document).get("error") if isinstance(document, dict) else None
    )
    if not isinstance(error, dict):
        return "", ""
    members = cast("dict[str, Any]", error)
    return str(members.get("type", "")), str(members.get("message", ""))[:LONGEST_MESSAGE]
