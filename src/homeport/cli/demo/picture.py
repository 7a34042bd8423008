"""The demo as a picture for the README: what the console recorded, as one SVG without a network.

rich's own template loads its font from elsewhere; this one takes the reader's monospace font.
"""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme

NIGHT = TerminalTheme(
    (18, 22, 30),
    (205, 211, 222),
    [
        (18, 22, 30),
        (240, 113, 120),
        (135, 198, 118),
        (232, 196, 104),
        (97, 161, 232),
        (190, 140, 226),
        (86, 196, 200),
        (205, 211, 222),
    ],
)
FORMAT = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">
<title>homeport demo</title>
<style>
.{unique_id}-matrix {{
  font: {char_height}px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace;
  line-height: {line_height}px;
}}
.{unique_id}-title {{ font: bold 17px system-ui, sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def draw(console: Console, path: Path) -> None:
    """Writes what `console` has recorded to `path`.

    Raises:
        OSError: It cannot be written there.
    """
    svg = console.export_svg(
        title="homeport demo", theme=NIGHT, code_format=FORMAT, unique_id="demo", clear=False
    )
    path.write_text("".join(f"{line.rstrip()}\n" for line in svg.splitlines()), encoding="utf-8")
