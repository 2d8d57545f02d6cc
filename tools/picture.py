"""Draws what README.md shows of `make demo` as a terminal window: docs/demo.svg.

`make docs` runs it; with --check it only says whether the picture is the one that it would draw.
"""

import re
import sys
from pathlib import Path
from xml.sax.saxutils import escape

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "demo.svg"
LINE, CHARACTER, MARGIN, BAR = 18, 7.83, 18, 34  # of 13 px in any monospaced font
COLORS = {"200": "#3fb950", "401": "#d29922", "403": "#f85149"}


def shown():
    """The text of the README's own block, which `make check` holds to the program's output."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return re.search(r"```console\n(\$ make demo\n.*?)```", text, re.DOTALL)[1].splitlines()


def svg(lines):
    """The lines in a window as wide as the longest of them, statuses coloured."""
    width = round(max(map(len, lines)) * CHARACTER + 2 * MARGIN)
    height = BAR + LINE * len(lines) + MARGIN
    label = "make demo: every group tries every route, and all answers agree with groups.json"
    rows = "\n".join(row(index, line) for index, line in enumerate(lines) if line)
    dots = "".join(
        f'<circle cx="{20 + 18 * index}" cy="17" r="5.5" fill="{color}"/>'
        for index, color in enumerate(("#f85149", "#d29922", "#3fb950"))
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="img" aria-label="{label}" font-size="13" fill="#c9d1d9" '
        'font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace">\n'
        f'<rect width="{width}" height="{height}" rx="8" fill="#0d1117"/>\n{dots}\n{rows}\n</svg>\n'
    )


def row(index, line):
    """One line of text; the widths are said, so that columns align in every font."""
    parts = re.split(r"\b(200|401|403)\b", line)
    spans = "".join(
        f'<tspan fill="{COLORS[part]}">{part}</tspan>' if part in COLORS else escape(part)
        for part in parts
    )
    bold = ' fill="#fff" font-weight="bold"' if line.startswith(("$", "All ")) else ""
    y = BAR + LINE * (index + 1) - 5
    length = f'{len(line) * CHARACTER:.1f}" lengthAdjust="spacingAndGlyphs'
    return (
        f'<text x="{MARGIN}" y="{y}" xml:space="preserve" textLength="{length}"{bold}>'
        f"{spans}</text>"
    )


def main(arguments):
    drawn = svg(shown())
    if arguments == ["--check"]:
        same = PICTURE.is_file() and PICTURE.read_text(encoding="utf-8") == drawn
        return 0 if same else "docs/demo.svg is not what README.md shows: make docs"
    PICTURE.write_text(drawn, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
