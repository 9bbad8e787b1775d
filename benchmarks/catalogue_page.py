"""Write docs/reference/catalogue-performance.md from the figures of benchmarks/catalogue.py.

python benchmarks/catalogue_page.py
"""

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "catalogue"
PAGE = ROOT / "docs" / "reference" / "catalogue-performance.md"
NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
WANTED_MS = {"facets": 150.0, "range": 20.0}
MOST_BYTES, LEAST_FILED = 3e9, 2000.0


def wanted(question: str) -> float | None:
    """Tell within how many milliseconds 95 of 100 answers are to be there; None where nothing was aimed at."""
    if "facets" in question and "without" not in question:
        return WANTED_MS["facets"]
    return WANTED_MS["range"] if question == "a range of 1 %" else None


def table(head: list[str], rows: list[list[str]]) -> str:
    """Write a table of Markdown; all columns but the first are numbers."""
    marks = ["---"] + ["---:"] * (len(head) - 1)
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, marks, *rows])


def is_busy(one: dict[str, Any]) -> bool:
    """Tell whether others used the processors meanwhile, so that times by the clock tell nothing."""
    return bool(one["machine"]["load at the end"] > one["machine"]["cores"] + 1)


def answers(figures: dict[str, dict[str, Any]]) -> str:
    """Tell how long answers took."""
    head = ["question", "aim"]
    for name, one in figures.items():
        head += (
            [f"{NAMES[name]}: processors"] if is_busy(one) else [f"{NAMES[name]}: p50", "p95", "processors"]
        )
    rows = []
    for question in next(iter(figures.values()))["answers"]:
        aim = wanted(question)
        row = [question, f"{aim:.0f}" if aim else ""]
        for one in figures.values():
            took = one["answers"][question]
            missed = "**" if aim and took["p95"] > aim else ""
            by_clock = [f"{took['p50']:.1f}", f"{missed}{took['p95']:.1f}{missed}"]
            row += [] if is_busy(one) else by_clock
            row.append(f"{took['own_p50'] + took['server_mean']:.1f}")
        rows.append(row)
    return table(head, rows)


def sizes(name: str, one: dict[str, Any]) -> str:
    """Tell what each table and index takes."""
    rows = [
        [part, f"{size / 1e6:.0f}", f"{size / one['datasets']:.0f}"]
        for part, size in one["bytes"].items()
        if part == "all" or size >= one["bytes"]["all"] / 200
    ]
    return table([NAMES[name], "MB", "bytes a dataset"], rows)


def settings(name: str, one: dict[str, Any]) -> str:
    """Tell what the figures were measured with."""
    (engine, version), *rest = one["database"].items()
    machine = one["machine"]
    told = "; ".join(f"`{key} = {value}`" for key, value in rest)
    return (
        f"{engine} {version}{f', {told}' if told else ''}; Python {machine['Python']}, {machine['cores']} cores, load "
        f"{machine['load at the end']} at the end, {machine['when']}; {machine['seconds'] / 60:.0f} minutes in all."
    )


def filing(figures: dict[str, dict[str, Any]]) -> str:
    """Tell how quick filing in bulk was."""
    head = ["into an empty catalogue", "aim", *(NAMES[name] for name in figures)]
    rows = []
    for rate in (key for key in next(iter(figures.values()))["filing"] if key != "datasets"):
        aim = "" if "of all" in rate else f"{LEAST_FILED:.0f}"
        row = [f"datasets {rate}", aim]
        for one in figures.values():
            is_known = "processor" in rate or not is_busy(one)
            row.append(f"{one['filing'][rate]:.0f}" if is_known else "")
        rows.append(row)
    return table(head, rows)


def in_memory(name: str, one: dict[str, Any]) -> str:
    """Tell what the numbers take that a portal keeps in memory, and a range before they are there."""
    kept, first = one.get("numbers in memory"), one.get("a range before numbers are in memory")
    if kept is None or first is None:
        return f"{NAMES[name]}: not measured in this call."
    clock = "" if is_busy(one) else f", {first['p95']:.0f} of the clock (p95)"
    return (
        f"{NAMES[name]}: {kept['MB']:.0f} MB for three parameters, read in {kept['processors, s']:.1f} s of the "
        f"processors; a range of 1 % before that: {first['own_p50'] + first['server_mean']:.1f} ms of the "
        f"processors{clock}."
    )


def page(figures: dict[str, dict[str, Any]]) -> str:
    """Write the page."""
    counts = " and ".join(f"{one['datasets']:,} ({NAMES[name]})" for name, one in figures.items())
    times = " or ".join(str(times) for times in sorted({one["times"] for one in figures.values()}))
    parts = [
        "# Performance of the catalogue",
        "Written by `python benchmarks/catalogue.py --datasets COUNT` from the figures under "
        "`benchmarks/results/catalogue`: "
        f"{counts} datasets of 25 parameters (18 numbers, 7 texts), a quarter of them drafts of others, a "
        f"visitor asks {times} questions of each kind, each another one, after half as many that are not counted. "
        "Milliseconds until the answer is in "
        "Python (half of the answers, p50, and 95 of 100, p95, were quicker); “processors” are those of tomarium "
        "(median) and of the database's server (mean). Bold: aim missed. Where others used the processors meanwhile, "
        "times by the clock are left out. "
        "How it is stored is told [elsewhere](../explanation/catalogue.md).",
        answers(figures),
        "## Numbers in memory\n\nRanges and facets are asked of a portal that keeps in memory what tells who may see a "
        "record, its facets, and the numbers of the parameters that were asked for before. Of words with facets the "
        "text index tells the hits, and the memory the rest; without facets the database answers alone.",
        *(in_memory(name, one) for name, one in figures.items()),
        f"## Size\n\nAim: {MOST_BYTES / 1e9:.0f} GB.",
        *(sizes(name, one) for name, one in figures.items()),
        f"## Filing\n\n{next(iter(figures.values()))['filing']['datasets']:,} datasets, 2000 by a call, all in one "
        "transaction.",
        filing(figures),
        "## Measured with",
        *(settings(name, one) for name, one in figures.items()),
        "What records tell the PaNOSC search API (kept as JSON) is not in the datasets that are drawn.",
    ]
    return "\n\n".join(parts) + "\n"


def write() -> None:
    """Write it from what is there."""
    paths = {name: RESULTS / f"{name}.json" for name in NAMES}
    figures = {
        name: json.loads(path.read_text(encoding="utf-8")) for name, path in paths.items() if path.exists()
    }
    if not figures:
        raise SystemExit(f"{RESULTS}: has no figures of the catalogue; run benchmarks/catalogue.py first")
    PAGE.write_text(page(figures), encoding="utf-8")


if __name__ == "__main__":
    write()
