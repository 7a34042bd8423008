"""What a verification tells."""

from __future__ import annotations

from dataclasses import dataclass, field

from homeport.eventlog.chain import Finding
from homeport.eventlog.seal import Seal

MOST_FINDINGS = 1_000


@dataclass(slots=True)
class Report:
    """What was verified, and what is wrong with it.

    Attributes:
        findings: The first 1,000.
        partial: It is of an export that leaves something out.
        unchecked: What could not be, in words; only of exports.
        last_seal: The newest one; None when nothing was sealed.
    """

    events: int = 0
    erased: int = 0
    streams: int = 0
    seals: int = 0
    anchors: int = 0
    last_seal: Seal | None = None
    partial: bool = False
    findings: list[Finding] = field(default_factory=list[Finding])
    unchecked: list[str] = field(default_factory=list[str])

    def add(self, finding: Finding) -> None:
        """Takes a finding in."""
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(finding)
