"""The matching process: reads frames, answers each with one JSON line. Started by `matching`.

It runs isolated, without site packages, so it imports the standard library only.
"""

import json
import re
import resource
import sys
from typing import Any, BinaryIO


def main() -> None:
    """Serves one pattern until the input ends."""
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    order = json.loads(_frame(source) or b"{}")
    if sys.platform.startswith("linux"):  # elsewhere the wall clock alone has to do
        resource.setrlimit(resource.RLIMIT_AS, (order["memory_bytes"], order["memory_bytes"]))
    try:
        expression = re.compile(order["pattern"], re.IGNORECASE if order["ignore_case"] else 0)
    except (re.error, OverflowError, RecursionError) as error:
        _answer(sink, {"error": str(error)})
        return
    _answer(sink, {})
    while (data := _frame(source)) is not None:
        _answer(sink, {"hits": _hits(expression, data.decode("utf-8", "replace"), order)})


def _hits(expression: re.Pattern[str], text: str, order: dict[str, Any]) -> list[list[Any]]:
    lines = text.split("\n")
    if lines and not lines[-1]:
        lines.pop()
    before, after, width = order["before"], order["after"], order["line_characters"]
    found: list[list[Any]] = []
    for number, line in enumerate(lines):
        if expression.search(line.removesuffix("\r")) is None:
            continue
        around = lines[max(0, number - before) : number], lines[number + 1 : number + 1 + after]
        found.append(
            [
                number + 1,
                line[:width].removesuffix("\r"),
                *([neighbour[:width].removesuffix("\r") for neighbour in part] for part in around),
            ]
        )
        if len(found) >= order["per_file"]:
            break
    return found


def _frame(source: BinaryIO) -> bytes | None:
    """The next frame: eight bytes of length (big-endian), then as many bytes; None at the end."""
    header = source.read(8)
    if len(header) < 8:
        return None
    return source.read(int.from_bytes(header, "big"))


def _answer(sink: BinaryIO, answer: dict[str, Any]) -> None:
    sink.write(json.dumps(answer).encode() + b"\n")
    sink.flush()


if __name__ == "__main__":
    main()
