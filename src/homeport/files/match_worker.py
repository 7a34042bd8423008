"""The matching process: reads frames, answers each with JSON lines. Started by `matching`.

It runs isolated, without site packages, so it imports the standard library only.
"""

import json
import re
import resource
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO

OUT_OF_MEMORY = {"error": "memory"}


def main() -> None:
    """Serves one pattern until the input ends: a line for each hit of a frame, then an empty one.

    Its limits also hold when the server dies under it, while a pattern keeps it from its input.
    """
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    order = json.loads(_frame(source) or b"{}")
    resource.setrlimit(resource.RLIMIT_CPU, (order["cpu_seconds"], order["cpu_seconds"]))
    if sys.platform.startswith("linux"):  # elsewhere the clocks alone have to do
        resource.setrlimit(resource.RLIMIT_AS, (order["memory_bytes"], order["memory_bytes"]))
    try:
        _serve(source, sink, order)
    except MemoryError:
        _say(sink, OUT_OF_MEMORY)
    except BrokenPipeError:
        return  # nobody listens any more


def _serve(source: BinaryIO, sink: BinaryIO, order: dict[str, Any]) -> None:
    try:
        expression = re.compile(order["pattern"], re.IGNORECASE if order["ignore_case"] else 0)
    except (re.error, OverflowError, RecursionError) as error:
        _say(sink, {"error": "pattern", "detail": str(error)})
        return
    _say(sink, None)
    while (data := _frame(source)) is not None:
        for hit in _hits(expression, data.decode("utf-8", "replace"), order):
            _say(sink, hit)
        _say(sink, None)


def _hits(expression: re.Pattern[str], text: str, order: dict[str, Any]) -> Iterator[list[Any]]:
    lines = text.split("\n")
    if lines and not lines[-1]:
        lines.pop()
    before, after, width, left = (
        order[name] for name in ("before", "after", "line_characters", "per_file")
    )
    for number, line in enumerate(lines):
        if not left:
            return
        if expression.search(line.removesuffix("\r")) is None:
            continue
        left -= 1
        around = lines[max(0, number - before) : number], lines[number + 1 : number + 1 + after]
        yield [
            number + 1,
            line[:width].removesuffix("\r"),
            *([neighbour[:width].removesuffix("\r") for neighbour in part] for part in around),
        ]


def _frame(source: BinaryIO) -> bytes | None:
    """The next frame: eight bytes of length (big-endian), then as many bytes; None at the end."""
    header = source.read(8)
    if len(header) < 8:
        return None
    return source.read(int.from_bytes(header, "big"))


def _say(sink: BinaryIO, answer: object) -> None:
    """One line; what follows a whole frame (None) goes out at once."""
    sink.write(json.dumps(answer).encode() + b"\n")
    if not isinstance(answer, list):
        sink.flush()


if __name__ == "__main__":
    main()
