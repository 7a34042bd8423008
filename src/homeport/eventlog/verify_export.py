"""Verifies an export, line by line, without a database.

Memory grows with the number of streams and of sealed heads, not of events.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence

from homeport.eventlog.chain import Chain, Finding
from homeport.eventlog.envelope import GENESIS
from homeport.eventlog.export_lines import (
    FORMAT,
    BadLine,
    EndLine,
    EventLine,
    ExportLine,
    SealedHeadLine,
    SealLine,
    StreamLine,
    decode,
)
from homeport.eventlog.export_seals import ExportedSeals
from homeport.eventlog.report import Report
from homeport.eventlog.scan import Progress
from homeport.eventlog.seal import Seal
from homeport.kernel import clock

PROGRESS_LINES = 4_000


def verify_export(
    lines: Iterable[bytes],
    *,
    anchors: Sequence[Seal] = (),
    trusted: Collection[bytes] = (),
    progress: Progress | None = None,
) -> Report:
    """Verifies what an export holds, and says in `Report.unchecked` what it cannot tell of.

    Args:
        lines: With their line feeds.
        anchors: Seals from elsewhere.
        trusted: Public keys that may have signed the newest seal; empty: any.
        progress: Called now and then, with lines; how many there will be is not known (0).

    Raises:
        BadLine: The file does not begin as an export.
    """
    judge: _Judge | None = None
    number = 0
    for number, raw in enumerate(lines, start=1):
        if judge is None:
            judge = _Judge(_opening(raw))
        judge.take(number, raw)
        if progress is not None and number % PROGRESS_LINES == 0:
            progress(number, 0)
    if judge is None:
        raise BadLine("The file is empty.")
    return judge.finish(number, anchors, trusted)


def _opening(raw: bytes) -> ExportLine:
    opening = decode(raw)
    if not isinstance(opening, ExportLine):
        raise BadLine("The file does not begin with the first line of an export.")
    if opening.format != FORMAT:
        raise BadLine(f"The file is an export of format {opening.format}; this reads {FORMAT}.")
    return opening


class _Judge:
    """What is known while the lines go by."""

    def __init__(self, opening: ExportLine) -> None:
        self._opening = opening
        self._report = Report()
        self._seals = ExportedSeals(self._report, opening)
        self._digest = hashlib.sha256()
        self._seen: set[str] = set()
        self._part: StreamLine | None = None
        self._chain: Chain | None = None
        self._stray: str | None = None
        self._end: EndLine | None = None

    def take(self, number: int, raw: bytes) -> None:
        """Judges the next line."""
        try:
            line = decode(raw)
        except BadLine:
            line = None
        fault = self._fault(number, line)
        if fault is not None:
            self._report.add(Finding("line", None, number, fault))
        if isinstance(line, EndLine) and self._end is None:
            self._end = line
            if line.digest != self._digest.digest() and not self._report.findings:
                detail = "the lines before it are not those that were written"
                self._report.add(Finding("line", None, number, detail))
        self._digest.update(raw)

    def finish(self, count: int, anchors: Sequence[Seal], trusted: Collection[bytes]) -> Report:
        """Judges what only the whole file tells."""
        if self._end is None:
            detail = "the end is missing: the file was cut"
            self._report.add(Finding("line", None, count + 1, detail))
        self._end_stream()
        self._seals.finish(anchors, trusted)
        opening, unchecked = self._opening, self._report.unchecked
        self._report.partial = opening.stream is not None or opening.since is not None
        if opening.stream is not None:
            unchecked.append(f"every stream but {opening.stream}, which are not in the file")
            unchecked.append("the roots of the seals, for the heads of other streams are left out")
        if opening.since is not None:
            since = clock.rfc3339(clock.from_milliseconds(opening.since))
            unchecked.append(f"what was before {since}: it is taken up where the file begins")
            unchecked.append(f"the seals before {opening.first_seal}")
        return self._report

    def _fault(self, number: int, line: object) -> str | None:
        """What is wrong with a line where it stands; takes it in when nothing is."""
        match line:
            case None:
                return "it is not as an export writes it"
            case _ if self._end is not None:
                return "it stands behind the end"
            case ExportLine() if number > 1:
                return "a second beginning"
            case ExportLine(since=None, first_seal=first) if first != 1:
                return f"it leaves out the seals before {first}, and says that it is of everything"
            case SealLine() | SealedHeadLine() if self._seen:
                return "seals stand before the streams"
            case SealLine():
                self._seals.begin(line)
            case SealedHeadLine():
                return self._seals.add(line)
            case StreamLine():
                return self._begin_stream(line)
            case EventLine():
                return self._event(line)
            case _:
                return None
        return None

    def _begin_stream(self, line: StreamLine) -> str | None:
        if line.stream in self._seen:
            return f"{line.stream} is there twice"
        self._end_stream()
        self._seen.add(line.stream)
        self._part, self._stray = line, None
        self._chain = Chain(line.stream, line.after, line.previous)
        self._report.streams += 1
        whole = self._opening.since is None
        if whole and (line.after, line.previous) != (0, GENESIS):
            return f"{line.stream} does not begin with its first event"
        return None

    def _event(self, line: EventLine) -> str | None:
        chain = self._chain
        self._report.events += 1
        self._report.erased += line.payload is None
        if chain is None or line.stream != chain.stream:
            known, self._stray = self._stray == line.stream, line.stream
            return None if known else f"an event of {line.stream} does not stand under its stream"
        if line.seq <= chain.seq:
            return f"event {line.seq} of {line.stream} stands behind event {chain.seq}"
        if line.erased != (line.payload is None):
            return f"event {line.seq} of {line.stream} is erased, and has something to say"
        for finding in chain.add(line.stored()):
            self._report.add(finding)
        self._seals.pass_event(line.stream, line.seq, line.hash)
        return None

    def _end_stream(self) -> None:
        if self._chain is None or self._part is None:
            return
        for finding in self._chain.end(self._part.head_seq, self._part.head_hash):
            self._report.add(finding)
        self._seals.end_stream(self._part.stream)
        self._chain = self._part = None
