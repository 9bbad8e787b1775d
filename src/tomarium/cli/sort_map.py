"""`tomarium sort-map`: maps of counts sorted into phases."""

from __future__ import annotations

from pathlib import Path

import click

from tomarium.cli import show
from tomarium.errors import InputError


@click.command("sort-map")
@click.argument(
    "maps", metavar="MAP...", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True)
)
@click.option("--phases", type=click.IntRange(2, 64), required=True, help="How many phases there are.")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    metavar="OUT.tif",
    help="The map of phases to write.",
)
@click.option(
    "--sure",
    type=click.FloatRange(0, 0.999999),
    default=0.8,
    show_default=True,
    help="Probability below which a pixel gets 0: nothing is known.",
)
@click.option(
    "--sum",
    "summed",
    type=int,
    default=1,
    show_default=True,
    metavar="N",
    help="Sum the counts of N × N pixels for each pixel; for few counts.",
)
@click.option("--pixel", metavar="LENGTH", help="Pixel size, where files do not tell it.")
@click.option("--json", "as_json", is_flag=True, help="Print the report for machines.")
def command(
    maps: tuple[Path, ...], phases: int, out: Path, sure: float, summed: int, pixel: str | None, as_json: bool
) -> None:
    """Sort the pixels of MAPs of counts, as EDS makes them, into phases, for `tomarium fuse` and `tomarium align`.

    Each MAP is a map of one element, or a file with several (channel, y, x), all of the same pixels. A mixture of
    Poisson distributions is fitted to the counts of all channels together; a pixel gets the number of the phase it
    most likely is of, ascending by the counts of the first channel, and 0 where that is not sure. Where counts vary
    more than by chance, all are less sure.

    Beside OUT.tif are written OUT-confidence.tif, the probability in percent, and OUT.json, the report with the mean
    counts of each phase, by which you know what it is.

    \b
    tomarium sort-map fe.tif si.tif s.tif --phases 4 -o phases.tif
    tomarium sort-map eds.ome.tif --phases 3 --sum 3 --sure 0.9 -o phases.tif
    tomarium fuse ct.ome.zarr --map phases.tif --link link.json -o fused
    """
    from tomarium.atomic_files import write_json
    from tomarium.conversion.convert import convert
    from tomarium.specimen.fusion.count_maps import read_counts, sort_into_phases

    if out.suffix.lower() not in (".tif", ".tiff"):
        raise InputError(f"{out}: write a file that ends in .tif")
    targets = out, out.with_name(f"{out.stem}-confidence{out.suffix}"), out.with_suffix(".json")
    for target in targets:
        if target.exists():
            raise InputError(f"{target}: exists already; give another name")
    sorted_map = sort_into_phases(read_counts(maps, pixel), phases, sure=sure, summed=summed)
    convert(sorted_map.confidence, targets[1])
    write_json(targets[2], {"maps": [path.name for path in maps], **sorted_map.report})
    convert(sorted_map.phases, out)
    if as_json:
        show.as_json({"target": str(out), **sorted_map.report})
        return
    show.table([
        (
            f"phase {phase['number']}",
            f"{100 * phase['share']:.2f} % of the pixels",
            ", ".join(f"{name} {mean:.3g}" for name, mean in phase["mean_counts"].items()),
        )
        for phase in sorted_map.report["phases"]
    ])  # fmt: skip
    click.echo(f"{100 * sorted_map.report['unsure_share']:.2f} % of the pixels are not sure: 0 in {out}")
    wrong_share = sorted_map.report["expected_wrong_share"]
    if wrong_share is not None:
        click.echo(f"of the others, {100 * wrong_share:.2g} % are expected to be of another phase")
    show.warnings(sorted_map.report["notes"])
