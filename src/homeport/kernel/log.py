"""The server's log: one line per fact, structured, on stderr, without secrets.

What libraries log through `logging` comes out in the same form. Secrets are taken out twice: by the
name of a field, and by the look of a value.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, Literal, cast

import orjson
import structlog
from structlog.typing import Processor

SECRET_NAMES = re.compile(
    r"authorization|cookie|password|passwd|secret|token|api_?key|private_?key|credential|code$",
    re.IGNORECASE,
)
HARMLESS_NAMES = frozenset({"exit_code", "status_code", "input_tokens", "output_tokens", "code"})
SECRET_VALUES = re.compile(
    r"""(?x)
    \b(?:ck_|sk-|hp[a-z]_|ghp_|xox[a-z]-)[A-Za-z0-9_.-]{8,}    # keys with a telling beginning
    | \beyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*  # JSON web tokens
    | (?<=://)[^/\s:@]*:[^/\s@]+(?=@)                        # user:password of a URL, or :password
    | (?:(?<=[?&]token=)|(?<=[?&]ticket=)|(?<=_token=))[^\s&#"']{8,}   # of a query
    | (?i:\b(?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{8,}
    """
)
REMOVED = "[removed]"
# At DEBUG "anthropic" writes down whole conversations; nobody else here logs what people say.
NOISY = dict.fromkeys(
    ("aiosqlite", "alembic", "anthropic", "asyncio", "uvicorn.error"), logging.WARNING
)


def configure_log(
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO",
    form: Literal["console", "json"] = "console",
) -> None:
    """Sets up the process's log; call it once, first thing."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        remove_secrets,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.add_logger_name,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                render_json if form == "json" else render_line,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name, least in NOISY.items():
        logging.getLogger(name).setLevel(max(least, root.level))


def remove_secrets(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Takes secrets out of an event, at any depth."""
    for name in list(event):
        event[name] = _clean(name, event[name])
    return event


def render_json(_logger: object, _method: str, event: MutableMapping[str, Any]) -> str:
    """One JSON object per line; never fails, for a fact that cannot be logged is lost."""
    try:
        return orjson.dumps(event, default=repr, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:  # half a surrogate pair, or an integer beyond 64 bits
        return json.dumps(event, default=repr)


def render_line(_logger: object, _method: str, event: MutableMapping[str, Any]) -> str:
    """One readable line: time, level, event, `name=value`; the traceback below it."""
    traceback = event.pop("exception", None)
    stamp, level = event.pop("timestamp"), event.pop("level")
    event.pop("logger", None)
    words = [str(stamp)[11:23], f"{level:<7}", _plain(str(event.pop("event")))]
    words += [f"{name}={_value(value)}" for name, value in event.items()]
    line = " ".join(words)
    return f"{line}\n{traceback}" if traceback else line


def _clean(name: str, value: object) -> object:
    if name not in HARMLESS_NAMES and SECRET_NAMES.search(name) and isinstance(value, str | bytes):
        return REMOVED
    if isinstance(value, str):
        return SECRET_VALUES.sub(REMOVED, value)
    if isinstance(value, Mapping):
        items = cast("Mapping[object, object]", value).items()
        return {str(key): _clean(str(key), item) for key, item in items}
    if isinstance(value, list | tuple):
        return [_clean(name, item) for item in cast("list[object]", value)]
    return value


def _value(value: object) -> str:
    text = value if isinstance(value, str) else str(value)
    return _plain(text) if text and " " not in text else repr(text)


def _plain(text: str) -> str:
    """`text` on one line: nothing that is logged can begin a line of its own."""
    return text if text.isprintable() else repr(text)[1:-1]
