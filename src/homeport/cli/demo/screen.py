"""How the demo looks: a margin that says who speaks, and what they say beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.rule import Rule
from rich.text import Text

WIDTH = 100
MARGIN = 11
RESULT_LINES = 7


class Screen:
    """Prints line by line, so that a pipe and a picture get what a terminal gets.

    Args:
        console: Where to.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._column = 0
        self._pending = ""
        self._style = ""
        self._open = False

    def title(self, text: str) -> None:
        """The head of the demo."""
        self._console.print(Rule(Text(f" {text} ", style="bold"), style="cyan"))

    def chapter(self, text: str) -> None:
        """A new part."""
        self.end()
        self._console.print()
        self._console.print(Text(text, style="bold cyan"))

    def line(self, who: str, text: str | Text, *, style: str = "", who_style: str = "bold") -> None:
        """One entry; long text is wrapped beside the margin."""
        self.end()
        body = text if isinstance(text, Text) else Text(_harmless(text), style=style)
        lines = body.wrap(self._console, self._width)
        for number, wrapped in enumerate(lines):
            wrapped.rstrip()
            self._beside(who if number == 0 else "", wrapped, who_style)

    def output(self, text: str) -> None:
        """What a tool answered: its first and last lines, in the margin's colour."""
        lines = [
            line.rstrip() for line in _harmless(text).expandtabs(4).splitlines() if line.strip()
        ]
        if len(lines) > RESULT_LINES:
            left_out = f"… {len(lines) - RESULT_LINES + 1} more lines …"
            lines = [lines[0], left_out, *lines[-(RESULT_LINES - 2) :]]
        for line in lines:
            body = Text(f"{' ' * MARGIN}│ {line}", style="dim")
            body.truncate(self._console.width, overflow="ellipsis")
            self._print(body, end="\n")

    def diff(self, text: str) -> None:
        """A unified diff."""
        styles = {"+": "green", "-": "red", "@": "cyan"}
        for line in _harmless(text).splitlines():
            body = Text(" " * MARGIN) + Text(line, style=styles.get(line[:1], "dim"))
            body.truncate(self._console.width, overflow="ellipsis")
            self._print(body, end="\n")

    def begin(self, who: str, *, style: str) -> None:
        """Somebody begins to speak; `say` goes on, `end` ends."""
        self.end()
        self._open, self._style, self._column = True, style, MARGIN
        self._print(Text(f" {who:<{MARGIN - 1}}", style="bold"), end="")

    def say(self, piece: str) -> None:
        """The next piece of what is being said; a word is shown when it is whole."""
        self._pending += _harmless(piece).replace("\n", " ")
        *words, self._pending = self._pending.split(" ")
        for word in filter(None, words):
            self._word(word)

    def end(self) -> None:
        """Nothing more comes of what was being said."""
        if not self._open:
            return
        if self._pending:
            self._word(self._pending)
        self._open, self._pending = False, ""
        self._print(Text(""), end="\n")

    def columns(self, who: str, items: Sequence[str]) -> None:
        """Many short things, read downwards."""
        self.end()
        across = max(1, self._width // (max(map(len, items)) + 2))
        down = -(-len(items) // across)
        size = self._width // across
        for row in range(down):
            cells = "".join(f"{item:<{size}}" for item in items[row::down])
            self._beside(who if row == 0 else "", Text(cells.rstrip(), "dim"), "bold")

    @property
    def _width(self) -> int:
        return self._console.width - MARGIN

    def _beside(self, who: str, body: Text, who_style: str) -> None:
        self._print(Text.assemble((f" {who:<{MARGIN - 1}}", who_style), body), end="\n")

    def _word(self, word: str) -> None:
        if self._column > MARGIN and self._column + 1 + cell_len(word) > self._console.width:
            self._print(Text("\n" + " " * MARGIN), end="")
            self._column = MARGIN
        elif self._column > MARGIN:
            word = f" {word}"
        self._column += cell_len(word)
        self._print(Text(word, style=self._style), end="")

    def _print(self, text: Text, *, end: str) -> None:
        self._console.print(text, end=end, soft_wrap=True, highlight=False)


def event_lines(kinds: Iterable[str]) -> list[str]:
    """Numbered kinds, neighbours of one kind drawn together: `8-9 tool.started`."""
    groups: list[tuple[int, int, str]] = []
    for number, kind in enumerate(kinds, start=1):
        if groups and groups[-1][2] == kind:
            groups[-1] = (groups[-1][0], number, kind)
        else:
            groups.append((number, number, kind))
    return [
        f"{first}-{last} {kind}" if last > first else f"{first} {kind}"
        for first, last, kind in groups
    ]


def _harmless(text: str) -> str:
    """`text` without what a terminal would obey: files and models may hold escape sequences."""
    return "".join(
        c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text
    )
