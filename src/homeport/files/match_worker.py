"""The matching process: reads frames, answers each with JSON lines. Started by `matching`.

It runs isolated, without site packages, so it imports the standard library only.
"""

import json
import re
import resource
import sys
from collections.abc import Iterator
from io import BytesIO
from typing import Any, BinaryIO

OUT_OF_MEMORY = {"error": "memory"}


def main() -> None:
    """Serves one pattern until the input ends.

    A frame holds contents, each of them a frame again. The answer: for each content a line for each
    hit, then `null`.

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
        sink.flush()
    except BrokenPipeError:
        return  # nobody listens any more


def _serve(source: BinaryIO, sink: BinaryIO, order: dict[str, Any]) -> None:
    try:
        expression = re.compile(order["pattern"], re.IGNORECASE if order["ignore_case"] else 0)
    except (re.error, OverflowError, RecursionError) as error:
        _say(sink, {"error": "pattern", "detail": str(error)})
        sink.flush()
        return
    _say(sink, None)
    sink.flush()
    while (frame := _frame(source)) is not None:
        contents = BytesIO(frame)
        while (content := _frame(contents)) is not None:
            found = False
            for hit in _hits(expression, content.decode("utf-8", "replace"), order):
                _say(sink, hit)
                found = True
            _say(sink, None)
            if found:
                sink.flush()  # the next content may be the one that the process is killed over
        sink.flush()


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
    sink.write(json.dumps(answer).encode() + b"\n")


if __name__ == "__main__":
    main()
