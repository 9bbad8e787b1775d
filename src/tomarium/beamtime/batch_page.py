"""The page of a batch: one glance tells what went wrong; then each scan in the table, and its middle slice."""

from __future__ import annotations

import base64
import io
from collections import Counter
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Final
from urllib.parse import quote

from PIL import Image as Pillow

from tomarium.atomic_files import write_whole
from tomarium.beamtime.batch_files import PAGE, RESULTS, TABLE, WORDS, Row, read_state

PICTURE_PIXELS: Final = 256
"""Width of a picture on the sheet; pages of hundreds of scans are to open at once."""

_RANK: Final = {state: number for number, state in enumerate(WORDS)}
_CONFIDENCE: Final = {"low": 0, "medium": 1, "": 2, "high": 3}

_STYLE: Final = """
:root { color-scheme: dark; --night: #0b0d0c; --night-2: #151917; --ink: #e9e7e1; --quiet: #9ea7a1; --line: #2c332f;
  --good: #90d0b0; --amber: #e6bb62; --alarm: #f5a08a; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--night); color: var(--ink); font: 106.25%/1.5 system-ui, -apple-system, "Segoe UI",
  Roboto, "Noto Sans", "Liberation Sans", sans-serif; font-variant-numeric: lining-nums tabular-nums; }
main { max-width: 90rem; margin: 0 auto; padding: 1.5rem clamp(1rem, 4vw, 2.5rem) 4rem; }
h1, h2 { font-family: "Iowan Old Style", Palatino, Georgia, "Liberation Serif", serif; font-weight: 500;
  line-height: 1.15; margin: 0; }
h1 { font-size: clamp(1.8rem, 1.4rem + 2vw, 2.75rem); border-left: 0.5rem solid var(--state); padding-left: 1rem; }
h2 { font-size: 1.5rem; margin: 2.5rem 0 1rem; }
.lead { color: var(--quiet); margin: 0.5rem 0 0; padding-left: 1.5rem; }
.good { --state: var(--good); } .warnings { --state: var(--amber); } .failed, .differs { --state: var(--alarm); }
.waiting { --state: var(--quiet); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th { text-align: left; font-size: 0.85rem; color: var(--quiet); font-weight: 600; }
th, td { padding: 0.45rem 1rem 0.45rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td.number { text-align: right; white-space: nowrap; }
td.state { color: var(--state); white-space: nowrap; font-weight: 600; }
td.name { white-space: nowrap; }
td ul { margin: 0; padding-left: 1rem; }
a { color: var(--good); }
.sheet { display: grid; grid-template-columns: repeat(auto-fill, minmax(14rem, 1fr)); gap: 1rem; margin: 0; padding: 0;
  list-style: none; }
.sheet li { background: var(--night-2); border-top: 4px solid var(--state); }
.sheet img { display: block; width: 100%; height: auto; aspect-ratio: 1; object-fit: contain; background: #000; }
.none { aspect-ratio: 1; display: grid; place-items: center; color: var(--quiet); padding: 1rem; text-align: center;
  overflow: hidden; overflow-wrap: anywhere; font-size: 0.9rem; }
.words { display: flex; justify-content: space-between; gap: 0.75rem; padding: 0.5rem 0.75rem;
  overflow-wrap: anywhere; }
.words span:first-child { white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.words span:last-child { color: var(--state); text-align: right; }
@media (max-width: 48rem) { thead { display: none; } tr { display: grid; grid-template-columns: 1fr auto auto;
  border-bottom: 1px solid var(--line); padding: 0.5rem 0; } td, td.number { border: 0; padding: 0 0.75rem 0 0;
  text-align: left; } td.state { grid-column: 2 / 4; } td.name { white-space: normal; overflow-wrap: anywhere; }
  td:last-child { grid-column: 1 / 4; overflow-wrap: anywhere; } .number:empty { display: none; }
  td.axis:not(:empty)::before { content: "axis "; color: var(--quiet); } }
@media print { :root { color-scheme: light; --night: #fff; --night-2: #fff; --ink: #1b1f1c; --quiet: #565d57;
  --line: #d9d6ca; --good: #1d5945; --amber: #7d5200; --alarm: #962d1a; } .sheet li { break-inside: avoid; } }
"""


def worst_first(rows: Sequence[Row]) -> list[Row]:
    """Put first what a person must look at.

    Parameters
    ----------
    rows : sequence of Row
        Of a batch.

    Returns
    -------
    list of Row
        Failed, made otherwise, with warnings, finished; among these the axis of low confidence first.
    """
    return sorted(
        rows, key=lambda row: (_RANK[row.state], _CONFIDENCE.get(row.confidence, 2), -len(row.warnings))
    )


def headline(rows: Sequence[Row]) -> str:
    """Sum up the results of a batch in one line.

    Parameters
    ----------
    rows : sequence of Row
        Of a batch.

    Returns
    -------
    str
        "30 scans: 1 failed, 2 finished with warnings, 27 finished".
    """
    counts: Counter[str] = Counter(row.state for row in rows)
    parts = [f"{counts[state]} {word}" for state, word in WORDS.items() if counts[state]]
    return f"{len(rows)} scan{'s' if len(rows) != 1 else ''}: {', '.join(parts)}"


def _limits_text(folder: Path) -> str:
    """Tell the limits of grey values that all volumes share, where there are any."""
    return "".join(
        f" Volumes of {escape(dtype)}: {found['low']:.6g} … {found['high']:.6g} {escape(str(found['unit']))} in all of "
        f"them, found in {escape(str(found['scan']))}."
        for dtype, found in read_state(folder).limits.items()
    )


def write_page(folder: Path, rows: Sequence[Row]) -> None:
    """Write the page of a batch, which holds its pictures and needs no other file.

    Parameters
    ----------
    folder : Path
        Folder of the batch, from which the pictures are taken.
    rows : sequence of Row
        What is known of each scan.

    Raises
    ------
    OSError
        It cannot be written; the old page is untouched.
    """
    sorted_rows = worst_first(rows)
    worst = sorted_rows[0].state if rows else "waiting"
    text = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(headline(rows))} · {escape(folder.resolve().name)}</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
<h1 class="{_css_class(worst)}">{escape(headline(rows))}</h1>
<p class="lead">{escape(folder.resolve().name)}, the worst first. The same as a table: <a href="{TABLE}">{TABLE}</a>,
<a href="{RESULTS}">{RESULTS}</a>.{_limits_text(folder)}</p>
<h2 id="scans">Scans</h2>
<div class="scroll" tabindex="0" role="region" aria-labelledby="scans">
<table>
<thead><tr><th scope="col">Scan</th><th scope="col">State</th><th scope="col">Axis, column</th>
<th scope="col">Confidence</th><th scope="col">Time</th><th scope="col">What to know</th></tr></thead>
<tbody>
{"".join(map(_table_line, sorted_rows))}</tbody>
</table>
</div>
<h2 id="slices">Middle slices</h2>
<ul class="sheet" aria-labelledby="slices">
{"".join(_tile(folder, row) for row in sorted_rows)}</ul>
</main>
</body>
</html>
"""
    write_whole(folder / PAGE, text.encode("utf-8", "backslashreplace"))


def _css_class(state: str) -> str:
    return {"finished": "good", "at work": "waiting"}.get(state, state)


def _table_line(row: Row) -> str:
    name = escape(row.name)
    linked = f'<a href="{escape(quote(row.record))}">{name}</a>' if row.record else name
    axis = "" if row.axis_column is None else f"{row.axis_column:.2f}"
    confidence = row.confidence or {"user": "given", "read": "read"}.get(row.axis_origin, "")
    messages = [row.error] if row.error else []
    messages += row.warnings
    messages += [f"filed as the draft {row.draft}"] if row.draft else []
    messages += [f"not filed in the catalogue: {row.not_filed}"] if row.not_filed else []
    cell = f"<ul>{''.join(f'<li>{escape(text)}</li>' for text in messages)}</ul>" if messages else ""
    time = "" if row.seconds is None else _time_text(row.seconds)
    return (
        f'<tr class="{_css_class(row.state)}"><td class="name" title="{escape(row.scan)}">{linked}</td>'
        f'<td class="state">{escape(WORDS[row.state])}</td><td class="number axis">{axis}</td>'
        f'<td>{escape(confidence)}</td><td class="number">{time}</td><td>{cell}</td></tr>\n'
    )


def _time_text(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _tile(folder: Path, row: Row) -> str:
    picture = _picture(folder / row.picture) if row.picture else ""
    name = escape(row.name)
    content = (
        f'<img src="data:image/png;base64,{picture}" alt="Middle slice of {name}" loading="lazy">'
        if picture
        else f'<div class="none">{escape(row.error[:200]) or "no picture"}</div>'
    )
    return (
        f'<li class="{_css_class(row.state)}">{content}<div class="words"><span>{name}</span>'
        f"<span>{escape(WORDS[row.state].removeprefix('finished with '))}</span></div></li>\n"
    )


def _picture(path: Path) -> str:
    """Return a picture as base64, small; empty where it cannot be read."""
    try:
        with Pillow.open(path) as picture:
            small = picture.convert("L")
            small.thumbnail((PICTURE_PIXELS, PICTURE_PIXELS))
            png = io.BytesIO()
            small.save(png, "PNG", optimize=True)
    except (OSError, ValueError):
        return ""
    return base64.b64encode(png.getvalue()).decode("ascii")
