"""Reads the bytes of a Messages API stream: the hot path, some twenty events a second per run."""

from __future__ import annotations

import json
from typing import Any, cast

import orjson

from homeport.providers.anthropic.assembler import Assembler
from homeport.providers.errors import ProviderError, ProviderInterrupted
from homeport.providers.port import ProviderEvent
from homeport.providers.sse import SSEParser


class EventReader:
    """Feeds an assembler from the bytes of its stream, cut anywhere.

    `failure` is set once the stream has failed; what came before it is still handed out.
    """

    def __init__(self, assembler: Assembler) -> None:
        self.failure: ProviderError | None = None
        self._assembler = assembler
        self._parser = SSEParser()

    def feed(self, chunk: bytes) -> list[ProviderEvent]:
        """What `chunk` makes visible; empty bytes are the stream's end."""
        seen: list[ProviderEvent] = []
        try:
            if chunk:
                self._read(chunk, seen)
            elif self._assembler.is_whole():
                seen += self._assembler.finish()
            else:
                self.failure = self._interrupted("The provider ended the stream in the middle.")
        except ProviderError as failure:
            self.failure = failure
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            self.failure = self._interrupted("The provider sent something that is not an event.")
            self.failure.__cause__ = error
        return seen

    def _read(self, chunk: bytes, seen: list[ProviderEvent]) -> None:
        handle, loads = self._assembler.handle, orjson.loads
        for _, data in self._parser.feed(chunk):
            try:
                event = loads(data)
            except orjson.JSONDecodeError:
                event = _loads_leniently(data)
            seen += handle(event)

    def _interrupted(self, detail: str) -> ProviderInterrupted:
        return ProviderInterrupted(detail, started=self._assembler.started)


def _loads_leniently(data: bytes) -> dict[str, Any]:
    """JSON with escaped lone surrogates, or broken UTF-8, neither of which orjson reads."""
    return cast("dict[str, Any]", json.loads(data.decode(errors="replace")))
