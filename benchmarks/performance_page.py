"""Write docs/reference/performance.md and its plots from the figures under benchmarks/results.

python benchmarks/performance_page.py
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "reference" / "performance.md"
PLOTS = "growth.svg"
ENGINES, RINGS, PASSES = "reconstruction of", "ring filters", "passes over memory"
LARGE = "2048 columns x 1500 projections"
AXES = "40 axes"


class Absent(Exception):
    """A figure that was not measured; the message says why."""


@dataclass(frozen=True)
class Target:
    """One target: what, how much, in which unit, of which topic, and how the measured figure is had.

    Of `most` the measured figure is to be at most, else at least, `wanted`.
    """

    what: str
    wanted: float
    unit: str
    most: bool
    topic: str
    figure: Callable[[Any], float]


def of(topic: str, name: str) -> Callable[[list[dict[str, Any]]], dict[str, Any]]:
    """Find the row of a table whose topic and name hold these words."""

    def row(rows: list[dict[str, Any]]) -> dict[str, Any]:
        parts = topic.split("|")
        found = [one for one in rows if all(part in one["topic"] for part in parts) and one["name"] == name]
        if not found:
            raise Absent(f"no row of {name}")
        return found[0]

    return row


def time_ratio(topic: str, name: str, other: str) -> Callable[[Any], float]:
    """Processor time of one over that of another."""

    def ratio(rows: list[dict[str, Any]]) -> float:
        first, second = of(topic, name)(rows), of(topic, other)(rows)
        for one in (first, second):
            if one["cpu_ms"] is None:
                raise Absent(f"{one['name']}: {one['note']}")
        return float(first["cpu_ms"] / second["cpu_ms"])

    return ratio


def error_ratio(key: str) -> Callable[[Any], float]:
    """Error of the default engine over that of direct backprojection in double precision."""
    where = f"{ENGINES}|{LARGE}"

    def ratio(rows: list[dict[str, Any]]) -> float:
        exact = of(where, "float64 direct, band-limited")(rows)
        return float(of(where, "native")(rows)["accuracy"][key] / exact["accuracy"][key])

    return ratio


def rate(topic: str, name: str) -> Callable[[Any], float]:
    return lambda rows: float(of(topic, name)(rows)["accuracy"]["GB/s"])


def wall(topic: str, name: str) -> Callable[[Any], float]:
    return lambda rows: float(of(topic, name)(rows)["accuracy"]["wall"])


def whole_volume(one: dict[str, Any]) -> float:
    """Seconds of a whole volume, by runs of two heights."""
    if "volume_s" not in one:
        raise Absent("no runs of two heights")
    return float(one["volume_s"])


SLICES, SIRT = f"{ENGINES}|{LARGE}", "an iteration of SIRT"
TARGETS = (
    Target("a slice, 2048 columns × 1500 projections, one core", 20, "ms", True, "engines",
           lambda rows: float(of(SLICES, "native")(rows)["cpu_ms"])),
    Target("the same beside ducc0's NUFFT at 1e-3", 6, "times as quick", False, "engines",
           time_ratio(SLICES, "ducc0 NUFFT", "native")),
    Target("error at edges beside direct backprojection in double precision", 1.05, "times", True, "engines",
           error_ratio("rmse edges")),
    Target("SIRT by projection, an iteration, beside ASTRA's on the processor", 10, "times as quick", False,
           "iterative", time_ratio(SIRT, "ASTRA SIRT, CPU, linear", "projection and its transpose")),
    Target("SIRT by the normal operator, an iteration, beside ASTRA's", 200, "times as quick", False,
           "iterative", time_ratio(SIRT, "ASTRA SIRT, CPU, linear", "normal operator, equal weights")),
    Target("flat field and logarithm, one core", 5, "GB/s", False, "steps", rate(PASSES, "flat field and logarithm")),
    Target("float32 to uint16, one core", 10, "GB/s", False, "steps", rate(PASSES, "float32 to uint16")),
    Target("float32 to uint8, one core", 10, "GB/s", False, "steps", rate(PASSES, "float32 to uint8")),
    Target("Paganin's filter of 2048² beside the transforms of 4096²", 1, "times", True, "steps",
           time_ratio("frames of", "paganin, L = 10 px", "transforms of 4096 x 4096")),
    Target("ring filter by sorting beside the reconstruction", 5, "times", True, "steps",
           time_ratio(RINGS, "remove_stripes, sorting", "fbp")),
    Target("all ring filters in a row beside the reconstruction", 5, "times", True, "steps",
           time_ratio(RINGS, "remove_all_stripes", "fbp")),
    Target("reading frames packed with bitshuffle and LZ4 beside h5py, 2 threads", 1, "times as quick", False,
           "reading", wall("bitshuffle + LZ4, whole frames", "tomarium, 2 threads")),
    Target("writing OME-Zarr in float32 beside zarr-python", 1, "times as quick", False, "writing",
           wall("float32", "tomarium")),
    Target("a whole run beside the engine alone", 2.2, "times", True, "whole_run", lambda one: float(one["to_engine"])),
    Target("a whole run beside the longest of reading, computing, writing", 1.3, "times", True, "whole_run",
           lambda one: float(one["to_longest_part"])),
    Target("1500 × 2048 × 2048 to 2048³, by the start and the rows of runs of two heights", 60, "s", True, "whole_run",
           whole_volume),
    Target("the same with a ring filter, `remove_stripes`", 60, "s", True, "whole_run",
           lambda one: whole_volume(one.get("rings", {}))),
    Target("`tomarium slice` of 12.6 GB beyond reading its row", 1, "s", True, "first_look",
           lambda one: float(one["own_s"])),
    Target("40 rotation axes of a row of 2048 columns", 3, "s", True, "first_look", lambda one: float(one["axes_s"])),
    Target("start of the command", 0.5, "s", True, "first_look", lambda one: float(one["start_s"])),
    Target("peak of memory of a run beside `--memory 2GB`", 1, "times", True, "memory",
           lambda one: float(one["peak_of_limit"])),
)  # fmt: skip

GPU_SCRIPT = "`bash benchmarks/gpu.sh`"
GPU_TARGETS = (
    Target("2048³ from 1500 projections, memory to memory, on a GPU as an H100", 2, "s", True, "gpu",
           lambda one: of_volume(one, 2048)),
    Target("the same, disk to disk, beside writing alone", 1.5, "times", True, "gpu",
           lambda one: float(one["disk to disk"]["to writing"])),
    Target("the same beside TomocuPy's published 7 s with files on an A100", 3, "times as quick", False, "gpu",
           lambda one: 7 / of_volume(one, 2048)),
    Target("a projection and its transpose beside ASTRA's, a slice, on a GPU", 2, "times as quick", False, "gpu",
           lambda one: beside_astra(one)),
)  # fmt: skip


def gpu_rows(one: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows of the kernels and of ASTRA's; what was not measured has a note in place of its rows."""
    parts = (one["kernels"], one["astra"])
    return [row for part in parts for row in (part if isinstance(part, list) else [part])]


def of_volume(one: dict[str, Any], size: int) -> float:
    """Seconds of a whole volume, if it was of that size."""
    volume = one["volume"]
    if "seconds" not in volume:
        raise Absent(volume["note"])
    if (volume["columns"], volume["rows"], volume["views"]) != (size, size, 1500):
        raise Absent(f"{volume['columns']} columns and {volume['rows']} rows were tried")
    return float(volume["seconds"])


def beside_astra(one: dict[str, Any]) -> float:
    """ASTRA's time of a projection and a backprojection over ours, both of one slice."""
    took = {row["name"].split(", ")[-2] if row["name"].startswith("ASTRA") else row["name"]: row.get("ms")
            for row in gpu_rows(one) if "ms" in row}  # fmt: skip
    try:
        ours = (took["forward projection of 8 slices"] + took["its transpose of 8 slices"]) / 8
        return float((took["FP_CUDA"] + took["BP_CUDA"]) / ours)
    except KeyError as missing:
        raise Absent(f"no row of {missing.args[0]}") from missing


def gpu_table(one: dict[str, Any]) -> str:
    """What was measured on a GPU: kernels, the volume, twins."""
    device = one["device"]
    lines = [
        [row.get("name", "kernels"), number(row.get("ms"), ".3g"), number(row.get("GB/s"), ".4g"),
         number(row.get("of copy"), ".0%"), number(row.get("GUPS"), ".3g"), row.get("note", "")]
        for row in gpu_rows(one)
    ]  # fmt: skip
    wrong = {name: told for name, told in one["twins"].items() if told != "well"}
    told = ", ".join(f"{name}: {why}" for name, why in wrong.items()) or "all of them"
    volume = one["volume"]
    seconds = f"{volume['seconds']:.3g} s" if "seconds" in volume else f"not measured: {volume['note']}"
    extent = (
        f" of {volume['columns']}² × {volume['rows']} from {volume['views']} views"
        if "slabs" in volume
        else ""
    )
    disk = one["disk to disk"]
    runs = (
        f"A run of {disk['rows']} rows from disk to disk: {disk['over the GPU']:.3g} s over the GPU, "
        f"{disk['on the processors']:.3g} s on the processors, {disk['writing']:.3g} s for writing its volume alone."
        if "rows" in disk
        else f"A run from disk to disk was not measured: {disk['note']}."
    )
    size = ", ".join(
        f"{name} {value:.1e}" for name, value in one["full size"].items() if isinstance(value, float)
    )
    return "\n\n".join([
        f"### {', '.join(str(value) for key, value in device.items() if key != 'memory_bytes')}",
        f"Kernels that do what their twins do: {told}. Gridding at full size differs from the processor's by {size}, "
        f"parts of the root of the mean square. A volume{extent} from memory to memory: {seconds}. Traffic is the "
        f"least that a kernel has to read and write. {runs}",
        markdown(["", "ms", "GB/s", "beside a copy", "GUPS", ""], lines),
    ])  # fmt: skip


def load(results: Path) -> dict[str, dict[str, Any]]:
    """The figures of every topic that was measured."""
    found = (json.loads(path.read_text(encoding="utf-8")) for path in sorted(results.glob("*.json")))
    return {one["topic"]: one for one in found}


def target_row(target: Target, results: dict[str, dict[str, Any]]) -> list[str]:
    """One line: what, target, measured, measured over target, command."""
    wanted = f"{'at most' if target.most else 'at least'} {target.wanted:g} {target.unit}"
    command = f"`python benchmarks/bench.py --only {target.topic}`" if target.topic != "gpu" else GPU_SCRIPT
    if target.topic not in results:
        return [target.what, wanted, "not measured", "–", command]
    try:
        value = target.figure(results[target.topic]["figures"])
    except (Absent, KeyError) as why:
        return [target.what, wanted, f"not measured: {why}", "–", command]
    ratio = value / target.wanted
    met = ratio <= 1 if target.most else ratio >= 1
    return [
        target.what,
        wanted,
        f"{value:.3g} {target.unit}",
        f"{ratio:.2f}{'' if met else ', missed'}",
        command,
    ]


def markdown(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def number(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)


def tables(rows: list[dict[str, Any]]) -> str:
    """The rows of a topic, a table for each of its parts."""
    parts = []
    for topic in dict.fromkeys(row["topic"] for row in rows):
        some = [row for row in rows if row["topic"] == topic]
        keys = sorted({key for row in some for key in row["accuracy"]})
        lines = []
        for row in some:
            spread = None if row["spread"] is None else row["spread"] / 2
            lines.append([
                row["name"], number(row["cpu_ms"], ".4g"), number(spread, ".0%"), number(row["ratio"], ".3g"),
                *(number(row["accuracy"].get(key), ".3g") for key in keys), row["note"],
            ])  # fmt: skip
        head = ["", f"processor ms per {some[0]['unit']}", "±", "beside the first", *keys, ""]
        parts.append(f"### {topic[0].upper()}{topic[1:]}\n\n{markdown(head, lines)}")
    return "\n\n".join(parts)


def facts(one: dict[str, Any]) -> str:
    """What was measured where, in one sentence."""
    machine = one["machine"]
    versions = ", ".join(
        f"{name} {told}" for name, told in machine["versions"].items() if told != "not installed"
    )
    absent = [name for name, told in machine["versions"].items() if told == "not installed"]
    missing = f"; not installed: {', '.join(absent)}" if absent else ""
    return (
        f"{machine['processor']}, {machine['processors']} processors, {machine['memory_bytes'] / 1e9:.0f} GB, "
        f"{machine['system']}, Python {machine['python']}, {machine['engine']}; {versions}{missing}."
    )


def whole_run_table(one: dict[str, Any]) -> str:
    lines = [
        [what, f"{seconds:.2f}", f"{one['spread'][what] / 2:.0%}", f"{one['faults'][what]:,.0f}",
         f"{one['peak_mb'][what]:.0f}"]
        for what, seconds in one["seconds"].items()
    ]  # fmt: skip
    head = ["", "seconds", "±", "page faults", "peak MB"]
    title = f"### A whole run of {one['views']} × {one['rows']} × {one['columns']}, float32 OME-Zarr with its pyramid"
    views, height = one.get("volume", (0, 0))
    if not views:  # of a run before two heights were measured
        return f"{title}\n\n{markdown(head, lines)}"
    low, tall = (
        f"{rows} rows took {seconds:.1f} s (± {spread / 2:.0%})"
        for rows, seconds, spread in zip(one["heights"], one["height_s"], one["height_spread"], strict=True)
    )
    kind = f", as {one['volume_type']} within given limits," if "volume_type" in one else ""
    told = (
        f"A volume of {height} rows from {views} projections{kind} is reckoned from rows in the middle of its scan, "
        f"in slabs of {one['slab_rows']} rows, {one['workers']} at a time: {low}, {tall}. So {one['start_s']:.1f} s go "
        f"to the start and {1e3 * one['row_s']:.1f} ms to each row. Scan and volume lie in the page cache; a disk that "
        f"takes less than a run writes makes it longer."
    )
    if "rings" in one:
        rings = one["rings"]
        told += (
            f" With `remove_stripes` {' and '.join(map(str, rings['heights']))} rows took "
            f"{' and '.join(f'{seconds:.1f}' for seconds in rings['height_s'])} s: {rings['start_s']:.1f} s for the "
            f"start, {1e3 * rings['row_s']:.1f} ms a row."
        )
    return f"{title}\n\n{markdown(head, lines)}\n\n{told}"


def first_look_table(one: dict[str, Any]) -> str:
    lines = [[what, f"{s:.2f}", f"{one['spread'][what] / 2:.0%}"] for what, s in one["seconds"].items()]
    lines.append(["own time of a slice", f"{one['own_s']:.2f}", ""])
    title = f"### First look at {one['bytes'] / 1e9:.1f} GB, {one['packed_bytes'] / 1e9:.1f} GB packed"
    return f"{title}\n\n{markdown(['', 'seconds', '±'], lines)}"


def memory_table(one: dict[str, Any]) -> str:
    lines = [
        [name.removesuffix("_bytes"), f"{one[name] / 1e9:.2f} GB"]
        for name in ("volume_bytes", "limit_bytes", "planned_bytes", "peak_bytes")
    ]
    return "### Memory of a run\n\n" + markdown(["", ""], lines)


def growth_table(rows: list[dict[str, Any]]) -> str:
    lines = [
        [one["varied"], *(f"{one[key]}" for key in ("columns", "views", "rows", "threads")), f"{one['wall_ms']:.3g}",
         f"{one['cpu_ms']:.3g}", f"{one['spread'] / 2:.0%}", f"{one['bytes'] / 1e6:.0f}",
         f"{one['planned_bytes'] / 1e6:.0f}"]
        for one in rows
    ]  # fmt: skip
    head = [
        "varied",
        "columns",
        "views",
        "rows",
        "threads",
        "ms a slice",
        "processor ms",
        "±",
        "peak MB",
        "planned MB",
    ]
    return markdown(head, lines)


def draw_growth(rows: list[dict[str, Any]], path: Path) -> None:
    """Draw time and memory against what was varied."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams.update(
        {"svg.hashsalt": "tomarium", "font.size": 8, "axes.grid": True, "grid.alpha": 0.3}
    )
    from matplotlib import pyplot

    varied = list(dict.fromkeys(one["varied"] for one in rows))
    figure, places = pyplot.subplots(2, len(varied), figsize=(10, 4.6), layout="constrained", squeeze=False)
    for column, name in enumerate(varied):
        some = [one for one in rows if one["varied"] == name]
        x = [one[name] for one in some]
        places[0][column].plot(x, [one["wall_ms"] for one in some], "o-", color="#1b6e63")
        places[1][column].plot(
            x, [one["bytes"] / 1e6 for one in some], "o-", color="#1b6e63", label="measured"
        )
        places[1][column].plot(
            x, [one["planned_bytes"] / 1e6 for one in some], ":", color="#a2542a", label="planned"
        )
        places[1][column].set_xlabel(name)
        for place in (places[0][column], places[1][column]):
            place.set_xscale("log", base=2)
            place.set_yscale("log")
            place.set_xticks(x, [f"{one}" for one in x], rotation=45)
    places[0][0].set_ylabel("ms a slice")
    places[1][0].set_ylabel("peak MB beside the sinogram")
    places[1][0].legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


DRAWN: dict[str, tuple[str, Callable[[Any], str]]] = {
    "engines": ("Reconstruction", tables),
    "iterative": ("Iterative reconstruction", tables),
    "steps": ("Steps", tables),
    "reading": ("Reading", tables),
    "writing": ("Writing", tables),
    "whole_run": ("Whole run", whole_run_table),
    "first_look": ("First look", first_look_table),
    "memory": ("Memory", memory_table),
}


def page(results: dict[str, dict[str, Any]], plot: str | None) -> str:
    """The page as Markdown."""
    rows = [target_row(target, results) for target in (*TARGETS, *GPU_TARGETS)]
    head = ["", "target", "measured", "measured / target", "command"]
    parts = [
        "# Performance",
        "Written by `make bench` from the figures under `benchmarks/results`. Candidates of a table run in turns, and "
        "each figure is the median of the rounds; ± is half of the distance between the largest and the smallest. "
        "Processor time of one thread is told where no other unit is, for it depends little on what else the machine "
        "does. All reconstructions are of the same sinogram with the plain ramp; errors are parts of the body's "
        "attenuation, far from edges, within five pixels of one, and their mean.",
        "## Targets",
        markdown(head, rows),
    ]
    for name, (title, draw) in DRAWN.items():
        if name in results:
            parts += [f"## {title}", told(results[name]), draw(results[name]["figures"])]
    if "gpu" in results:
        parts += ["## GPU", told(results["gpu"]), gpu_table(results["gpu"]["figures"])]
    else:
        parts += [
            "## GPU",
            f"Not measured: no GPU was at hand. {GPU_SCRIPT} tests and measures everything on one.",
        ]
    if "growth" in results:
        parts += ["## Growth", told(results["growth"])]
        if plot is not None:
            parts.append(f"![Time and memory against columns, projections, rows and threads]({plot})")
        parts.append(growth_table(results["growth"]["figures"]))
    return "\n\n".join(parts) + "\n"


def told(one: dict[str, Any]) -> str:
    """Command, date, load and machine of a topic."""
    return f"`{one['script']}`, {one['date']}, load before it began {one['load_before']}. {facts(one)}"


def write(results_folder: Path, path: Path) -> None:
    """Write the page, and the plots where matplotlib is there to draw them."""
    results = load(results_folder)
    pictures = path.parent.parent / "pictures" if path == PAGE else path.parent
    if "growth" in results:
        try:
            draw_growth(results["growth"]["figures"], pictures / PLOTS)
        except ImportError:
            print("matplotlib is not installed: the plots stay as they are")
    plot = f"{'../pictures/' if path == PAGE else ''}{PLOTS}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page(results, plot if (pictures / PLOTS).exists() else None), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("-o", "--output", type=Path, default=PAGE)
    given = parser.parse_args()
    write(given.results, given.output)


if __name__ == "__main__":
    main()
