"""The figures as a bar chart, plain SVG."""

from __future__ import annotations

from collections.abc import Mapping
from xml.sax.saxutils import escape

ROW, LABELS, WIDTH = 28, 330, 760


def svg(ratios: Mapping[str, float]) -> str:
    """A bar a contender; ours darker than the others."""
    scale = (WIDTH - LABELS - 60) / max(ratios.values())
    rows = "\n".join(_row(y, *item, scale) for y, item in enumerate(ratios.items()))
    height = ROW * len(ratios) + 40
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'font-family="system-ui, sans-serif" font-size="13" role="img" '
        f'aria-label="Overhead of guarding a view, in RSA-2048 verifications">\n'
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>\n{rows}\n'
        f'<text x="{LABELS}" y="{height - 12}" fill="#555">'
        f"overhead over an unguarded view, in RSA-2048 verifications</text>\n</svg>\n"
    )


def _row(index: int, name: str, ratio: float, scale: float) -> str:
    y, width = ROW * index + 8, max(1.0, ratio * scale)
    color = "#1d4ed8" if name.startswith("cognises") else "#94a3b8"
    return (
        f'<text x="{LABELS - 10}" y="{y + 14}" text-anchor="end" fill="#111">{escape(name)}</text>'
        f'<rect x="{LABELS}" y="{y}" width="{width:.1f}" height="{ROW - 8}" fill="{color}"/>'
        f'<text x="{LABELS + width + 6:.1f}" y="{y + 14}" fill="#111">{ratio:.2f}</text>'
    )
