"""Judges a history: `cd tests && python -m faults.checker HISTORY`.

Prints each promise that does not hold on a line, and at last what the history has seen, as JSON.
Exits with 0 when every promise holds, 1 when one does not, 2 when the file is no whole history.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from faults.checker.figures import figures
from faults.checker.history import BrokenHistory, Finding, History, read_history
from faults.checker.log import judge_log
from faults.checker.readers import judge_readers
from faults.checker.recovery import judge_recovery
from faults.checker.requests import judge_requests
from faults.checker.rows import judge_rows
from faults.checker.runs import judge_runs

JUDGES = (judge_log, judge_requests, judge_readers, judge_runs, judge_rows, judge_recovery)


def judge(history: History) -> list[Finding]:
    """Everything that was promised and does not hold."""
    return [finding for each in JUDGES for finding in each(history)]


def main(path: str) -> int:
    """Judges the file; returns the exit code."""
    try:
        history = read_history(Path(path))
    except (OSError, BrokenHistory) as error:
        print(error, file=sys.stderr)
        return 2
    findings = judge(history)
    for finding in findings:
        print(finding)
    print(json.dumps({"findings": len(findings), **figures(history)}))
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
