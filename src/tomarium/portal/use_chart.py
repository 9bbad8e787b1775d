"""A chart of views and downloads by month, drawn as SVG: bars side by side, with their numbers as text beside it."""

from __future__ import annotations

from collections.abc import Mapping
from math import floor, log10
from typing import Final

from markupsafe import Markup

from tomarium.catalogue.record_use import Use

WIDTH: Final = 960
HEIGHT: Final = 280
_LEFT, _TOP, _BOTTOM = 76, 24, 46
_MONTHS: Final = 24
"""Most months that are drawn."""


def draw_use(months: Mapping[str, Use]) -> Markup:
    """Draw views and downloads by month.

    Parameters
    ----------
    months : Mapping of str to Use
        "2026-11" → what was counted then, the first one first; the last 24 are drawn.

    Returns
    -------
    Markup
        SVG; "" where there is nothing to draw. What it shows is a table on the page, too.
    """
    shown = list(months.items())[-_MONTHS:]
    most = max((max(use.views, use.downloads) for _, use in shown), default=0)
    if not most:
        return Markup("")
    step = _step(most)
    top = step * -(-most // step)
    high, wide = HEIGHT - _TOP - _BOTTOM, (WIDTH - _LEFT) / max(len(shown), 6)
    base = _TOP + high
    lines = [
        Markup(
            '<path class="chart-line" d="M{} {:.1f}H{}"></path><text x="{}" y="{:.1f}" text-anchor="end">{}</text>'
        ).format(_LEFT, base - high * at / top, WIDTH, _LEFT - 8, base - high * at / top + 4, at)
        for at in range(0, top + 1, step)
    ]
    bars = []
    for index, (month, use) in enumerate(shown):
        x = _LEFT + index * wide
        for part, (kind, number) in enumerate((("views", use.views), ("downloads", use.downloads))):
            tall = high * number / top
            bars.append(
                Markup(
                    '<rect class="chart-{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}">'
                    "<title>{}: {} {}</title></rect>"
                ).format(
                    kind, x + wide * (0.14 + 0.37 * part), base - tall, wide * 0.35, tall, month, number, kind
                )
            )
        if index % -(-len(shown) // 12) == 0:
            bars.append(
                Markup('<text x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(
                    x + wide / 2, HEIGHT - 16, month
                )
            )
    return Markup(
        '<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="Views and downloads by month" focusable="false">'
        "{}{}</svg>"
    ).format(WIDTH, HEIGHT, Markup("").join(lines), Markup("").join(bars))


def _step(most: int) -> int:
    """Return the distance of two lines: 1, 2 or 5 times a power of ten, so that there are at most six."""
    size = 10 ** floor(log10(max(most / 5, 1)))
    return int(next(size * times for times in (1, 2, 5, 10) if most <= 5 * size * times))
