"""Judges the seals of an export, and the events by the heads that were sealed."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from homeport.eventlog.chain import Finding
from homeport.eventlog.export_lines import ExportLine, SealedHeadLine, SealLine
from homeport.eventlog.report import Report
from homeport.eventlog.seal import Seal, SealedHead
from homeport.eventlog.verify_seals import (
    judge_anchor,
    judge_key,
    judge_link,
    judge_root,
    judge_signature,
)

SLACK_MS = 60_000
"""An anchor so little older than the export may have been sealed while that was made."""


class ExportedSeals:
    """Takes the seals in, then the events; each finding goes to `report`."""

    def __init__(self, report: Report, opening: ExportLine) -> None:
        self._report = report
        self._opening = opening
        self._seals: dict[int, Seal] = {}
        self._last: Seal | None = None
        self._heads: list[SealedHead] = []
        self._sealed: dict[str, dict[int, list[tuple[int, bytes]]]] = {}

    def begin(self, line: SealLine) -> None:
        """Takes the next seal."""
        self._close()
        before, seal = self._last, line.seal()
        if before is not None or self._opening.first_seal == 1:
            judge_link(self._report, seal, before)
        elif seal.id != self._opening.first_seal:
            detail = f"the seals from {self._opening.first_seal} on are missing"
            self._report.add(Finding("seal", None, seal.id, detail))
        judge_signature(self._report, seal)
        self._last = self._seals[seal.id] = seal
        self._report.seals += 1

    def add(self, line: SealedHeadLine) -> str | None:
        """Takes a head of the seal that was begun; gives what is wrong with that."""
        if self._last is None:
            return "no seal stands before it"
        self._heads.append(SealedHead(line.stream, line.seq, line.hash))
        of_stream = self._sealed.setdefault(line.stream, {})
        of_stream.setdefault(line.seq, []).append((self._last.id, line.hash))
        return None

    def pass_event(self, stream: str, seq: int, digest: bytes) -> None:
        """Judges an event by what was sealed of it."""
        for seal_id, sealed in self._sealed.get(stream, {}).pop(seq, ()):
            if sealed != digest:
                self._say(stream, seq, seal_id, "is another one now")

    def end_stream(self, stream: str) -> None:
        """Judges what of a stream did not come."""
        for seq, seals in self._sealed.pop(stream, {}).items():
            for seal_id, _ in seals:
                self._say(stream, seq, seal_id, "is missing")

    def finish(self, anchors: Sequence[Seal], trusted: Collection[bytes]) -> None:
        """Judges what only all seals tell, and them by their anchors."""
        self._close()
        for stream in list(self._sealed):
            self.end_stream(stream)
        self._report.last_seal = self._last
        judge_key(self._report, trusted)
        for anchor in anchors:
            if anchor.id >= self._opening.first_seal and not self._is_newer(anchor):
                judge_anchor(self._report, anchor, self._seals.get(anchor.id))
                self._report.anchors += 1
        if passed := len(anchors) - self._report.anchors:
            words = f"{passed} anchors of seals older or newer than the file"
            self._report.unchecked.append(words)
        if self._last is None:
            words = "who wrote it, and that no end was cut off: nothing in the file is sealed"
            self._report.unchecked.append(words)
        elif not trusted and not self._report.anchors:
            words = f"whose key {self._last.key.hex()} is (--key or --anchor tells)"
            self._report.unchecked.append(words)

    def _close(self) -> None:
        """Judges the heads of the seal that was begun."""
        if self._last is not None and self._opening.stream is None:
            judge_root(self._report, self._last, self._heads)
        self._heads = []

    def _is_newer(self, anchor: Seal) -> bool:
        newest = 0 if self._last is None else self._last.id
        return anchor.id > newest and anchor.at > self._opening.at - SLACK_MS

    def _say(self, stream: str, seq: int, seal_id: int, how: str) -> None:
        detail = f"seal {seal_id} has sealed it, and it {how}"
        self._report.add(Finding("sealed-head", stream, seq, detail))
