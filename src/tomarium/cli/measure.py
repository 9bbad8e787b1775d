"""`tomarium measure`: figures of a finished volume."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from tomarium import units
from tomarium.cli import scan_options, show
from tomarium.cli.given_path import PathOrAddress, demand_new
from tomarium.cli.record_place import path_or_record
from tomarium.errors import InputError

if TYPE_CHECKING:
    from tomarium.model import Image, Scan, Volume
    from tomarium.pipeline.measure.phase import Of
    from tomarium.pipeline.protocol.choice import Choice

LINES: Final = 16
"""Lines of the histogram."""


@click.command("measure")
@click.argument("path", metavar="VOLUME|SCAN", type=PathOrAddress(path_type=Path))
@click.option(
    "--other",
    type=click.Path(path_type=Path),
    help="The same volume made of the other half of the views: the resolution at which both agree.",
)
@click.option("--whole", is_flag=True, help="Count the corners too, outside of the inscribed circle.")
@click.option("--objects", is_flag=True, help="VOLUME holds labels: count and measure its objects.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="With --thickness: volume of the thickness, such as thickness.zarr. With --objects: table of the objects, "
    "TABLE.csv; the shares of each slice go into TABLE_slices.csv. With --network: table of the branches; the nodes go "
    "into TABLE_nodes.csv, and a picture into TABLE.png.",
)
@click.option(
    "--smallest", type=click.IntRange(1), default=1, help="With --objects: voxels from which one is told."
)
@click.option(
    "--skeleton", is_flag=True, help="With --objects: length and branches of pores and vessels, by thinning."
)
@click.option("--thickness", is_flag=True, help="Local thickness of the solid, or the pores, of VOLUME.")
@click.option(
    "--network", is_flag=True, help="Nodes and branches of the solid, or the pores, of VOLUME, by thinning."
)
@click.option(
    "--prune",
    type=click.FloatRange(0),
    help="With --network: leave out free branches that are not longer than so many times the radius of their junction; "
    "1 by default, 0 leaves none out.",
)
@click.option(
    "--of",
    type=click.Choice(["solid", "pores"]),
    default="solid",
    show_default=True,
    help="With --thickness and --network: what is above the threshold, or what is not.",
)
@click.option(
    "--threshold",
    type=float,
    help="With --thickness and --network: in the volume's unit; by default that of Otsu, and of labels 0.",
)
@click.option("--overwrite", is_flag=True, help="Replace what --output names where it is there already.")
@scan_options.opening
@scan_options.steps
@click.option("--json", "as_json", is_flag=True, help="Print it for machines.")
def command(
    path: Path,
    other: Path | None,
    whole: bool,
    objects: bool,
    output: Path | None,
    smallest: int,
    skeleton: bool,
    thickness: bool,
    network: bool,
    prune: float | None,
    of: Of,
    threshold: float | None,
    overwrite: bool,
    opening: scan_options.Opening,
    choice: Choice,
    as_json: bool,
) -> None:
    """Measure VOLUME, or the folder of a record: grey values, noise, rings, sharpness; or the objects of labels.

    Grey values are those of all voxels inside the circle; noise, rings and edges are measured in 9 slices. The volume
    is read slab by slab, so any size fits.

    \b
    noise       standard deviation of the finest diagonal detail; what is correlated from voxel to voxel is not in it
    ring index  ripple of the mean along circles over the noise; a strong smoothing lowers it too
    SNR, CNR    mean over deviation, and contrast, of windows of 13 px without an edge; of two materials where there are
    cupping     part by which the brighter material rises from the axis to the rim, by a fit of r²; it may be its own
    entropy     of the histogram over 0.1 to 99.9 %: lower is sharper, for the same volume and range only
    edge width  full width at half maximum of the line-spread function, from the strongest edges
    resolution  with --other: Fourier ring correlation, half-bit criterion

    Of a SCAN, 9 slices are reconstructed by the protocol, and measured as the slices of a volume; resolution is that at
    which the even and the odd views agree, each with half of the views. A volume has no need of a protocol. With
    --other it is said where the runs of the two volumes do not tell that they are halves of one scan.

    With --objects, VOLUME holds labels, such as `tomarium segment` writes. An object is what touches by a face, an edge
    or a corner and has one label. Told are volume, equivalent diameter, surface, sphericity, axes of inertia, box,
    and whether it touches an end of the volume or the rim of the circle; and the share of each label, such as the
    porosity, of every slice.

    With --thickness, each voxel of the solid gets the diameter of the largest ball inside the solid that covers it
    (Hildebrand & Rüegsegger 1997); told are mean, deviation, percentiles and histogram (--json), and the part of the
    voxels whose ball reaches beyond the ends of the volume or the circle, where the truth is not known. It takes 16
    bytes of memory a voxel.

    With --network, the solid is thinned to lines (Lee, Kashyap & Chu 1994), which are taken apart into nodes, where
    three branches and more meet or one ends, and branches with length, distance of their ends, tortuosity and radius.
    Lengths are those of smoothed lines, right within 2 % for curves of 8 voxels of radius and more; a free end is
    about its radius short. It takes 12 bytes of memory a voxel.

    \b
    tomarium measure volume.ome.zarr
    tomarium measure record/ --json
    tomarium measure 'https://data.example.org/bone.zarr#level=3'
    tomarium measure scan.h5 --preset rings
    tomarium run scan.h5 -o even --step select_views --set select_views.keep=::2
    tomarium run scan.h5 -o odd --step select_views --set select_views.keep=1::2
    tomarium measure even/ --other odd/
    tomarium measure grains.ome.zarr --objects -o grains.csv --smallest 30
    tomarium measure vessels.ome.zarr --objects --skeleton -o vessels.csv
    tomarium measure bone.ome.zarr --thickness -o thickness.zarr
    tomarium measure rock.ome.zarr --thickness --of pores --threshold 1.2
    tomarium measure vessels.ome.zarr --network -o branches.csv
    tomarium measure rock.ome.zarr --network --of pores --prune 2 -o pores.csv
    """
    from tomarium.model import Scan
    from tomarium.pipeline.measure.halves import doubts_of_halves
    from tomarium.pipeline.measure.measure import as_data, measure

    if (thickness or network) and (objects or other is not None or skeleton or smallest > 1):
        raise click.UsageError(
            "--thickness and --network go without --objects, --skeleton, --smallest and --other"
        )
    if thickness and network:
        raise click.UsageError("--thickness and --network are measured one after the other; give one of them")
    if not (thickness or network) and (threshold is not None or of != "solid"):
        raise click.UsageError("--of and --threshold go with --thickness and --network")
    if prune is not None and not network:
        raise click.UsageError("--prune goes with --network")
    opened = opening.open(path)
    if isinstance(opened, Scan) and not (objects or other or thickness or network):
        from tomarium.pipeline.measure.scan import measure_scan

        measured, figures = measure_scan(
            opened, choice.protocol(opened.domain), whole=whole, tell=show.progress()
        )
        _print_measurement(measured, as_data(measured, figures), as_json)
        return
    volume = _as_volume(path, opened)
    choice.demand_scan(path)
    if thickness:
        from tomarium.cli.measure_thickness import measure_thickness

        measure_thickness(volume, of, threshold, output, whole, overwrite, as_json)
        return
    if network:
        from tomarium.cli.measure_network import measure_network

        spurs = 1.0 if prune is None else prune
        measure_network(volume, of, threshold, output, whole, spurs, overwrite, as_json)
        return
    if objects:
        if other is not None:
            raise click.UsageError("--other goes with grey values, and --objects with labels")
        _measure_objects(volume, output, smallest, whole, skeleton, overwrite, as_json)
        return
    if output is not None or skeleton or smallest > 1:
        raise click.UsageError(
            "--smallest and --skeleton go with --objects, --output with these, --thickness or --network"
        )
    second = None if other is None else _volume(other, opening)
    measurement = as_data(volume, measure(volume, second, whole=whole, tell=show.progress()))
    doubts = () if other is None else doubts_of_halves(_run_of(path), _run_of(other))
    if measurement["halves"] is not None:
        measurement["halves"] |= {"doubts": list(doubts)}
        if doubts:
            measurement["halves"]["criterion"] = "half-bit, of two volumes"
    _print_measurement(volume, measurement, as_json)
    show.warnings(doubts)


def _print_measurement(volume: Volume, measurement: dict[str, Any], as_json: bool) -> None:
    if as_json:
        show.as_json(measurement)
        return
    unit, percentiles = measurement["unit"], measurement["percentiles"]
    click.secho(show.short(volume.name, 120), bold=True)
    show.table(
        [
            (
                "volume",
                " × ".join(map(str, measurement["shape"])),
                f"(z, y, x) {measurement['dtype']}, {measurement['counted']}",
            ),
            (
                "mean",
                units.show(measurement["mean"], unit),
                f"standard deviation {measurement['standard_deviation']:.4g}",
            ),
            (
                "median",
                units.show(percentiles["50"], unit),
                f"quartiles {percentiles['25']:.4g} and {percentiles['75']:.4g}",
            ),
            (
                "range",
                f"{measurement['minimum']:.4g} … {measurement['maximum']:.4g}",
                f"{measurement['not_finite']} voxels not finite",
            ),
            ("percentiles", f"{percentiles['0.01']:.4g} … {percentiles['99.99']:.4g}", "0.01 and 99.99 %"),
            *_rows_of_slices(measurement),
        ]
    )
    _show_histogram(measurement)


def _measure_objects(
    labels: Volume,
    output: Path | None,
    smallest: int,
    whole: bool,
    skeleton: bool,
    overwrite: bool,
    as_json: bool,
) -> None:
    from tomarium.pipeline.measure import objects as measuring

    demand_new(output, overwrite)
    measured = measuring.measure_objects(
        labels, smallest=smallest, whole=whole, skeletons=skeleton, tell=show.progress()
    )
    files = () if output is None else measuring.write_tables(output, labels, measured)
    measurement = measuring.as_data(labels, measured)
    if as_json:
        show.as_json({**measurement, "tables": [str(file) for file in files]})
        return
    unit = "µm" if measurement["unit"] == "um" else measurement["unit"]
    click.secho(show.short(labels.name, 120), bold=True)
    rows = [("objects", str(measurement["objects"]), f"{measurement['touching_edge']} of them touch an edge")]
    if measurement["left_out"]:
        rows.append(("left out", str(measurement["left_out"]), f"of fewer than {smallest} voxels"))
    if measurement["median_diameter"] is not None:
        rows.append(
            (
                "diameter",
                f"{measurement['median_diameter']:.4g} {unit}",
                "equivalent, median of whole objects",
            )
        )
        rows.append(("sphericity", f"{measurement['median_sphericity']:.3f}", "median of whole objects"))
    if measurement["skeleton_length"] is not None:
        rows.append(("skeleton", f"{measurement['skeleton_length']:.5g} {unit}", "length of all lines"))
    rows += [
        (f"share of {value}", f"{100 * share:.3f} %", "") for value, share in measurement["share"].items()
    ]
    show.table(rows)
    for file in files:
        click.echo(f"  {file}")


def _run_of(path: Path) -> Mapping[str, Any] | None:
    """Read what made a volume; None where no record of it, or no run, is known."""
    from tomarium.catalogue.make_record import read_provenance
    from tomarium.errors import FormatError

    place = path_or_record(path)
    for folder in (place, place.absolute().parent):
        with suppress(FormatError):
            return read_provenance(folder)
    return None


def _volume(path: Path, opening: scan_options.Opening) -> Volume:
    return _as_volume(path, opening.open(path))


def _as_volume(path: Path, opened: Scan | Image) -> Volume:
    from tomarium.formats.opening.messages import no_volume
    from tomarium.model import Volume

    if not isinstance(opened, Volume):
        raise InputError(no_volume(path, opened))
    return opened


def _rows_of_slices(measurement: dict[str, Any]) -> list[tuple[str, str, str]]:
    slices = f"median of {len(measurement['slices'])} slices"
    noise, ring, edges, halves = (measurement[name] for name in ("noise", "ring_index", "edges", "halves"))
    rows = []
    if noise is None:
        rows.append(("noise", "–", "slices are too small for noise, rings and edges"))
    else:
        rows.append(
            ("noise", units.show(noise, measurement["unit"]), f"{slices}, of the finest diagonal detail")
        )
        rows.append(("ring index", "–" if ring is None else f"{ring:.3g}", f"{slices}, ripple over noise"))
        rows += _rows_of_quality(measurement)
        width = edges["fwhm_px"]
        why = f"FWHM, median of {edges['count']} edges"
        width_text = f"{edges['limit'] or ''} {_length(width, edges['fwhm_m'])}".strip()
        rows.append(("edge width", width_text, why if width else f"{why}: too few"))
    if halves is not None:
        finest = "finer than 2 px" if halves["resolution_px"] is None else ""
        rows.append(
            (
                "resolution",
                finest or _length(halves["resolution_px"], halves["resolution_m"]),
                halves["criterion"],
            )
        )
    return rows


def _rows_of_quality(measurement: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Tell what `FIGURES` of the measurement names; what could not be told is a dash."""
    unit = measurement["unit"]
    return [
        (words, "–" if measurement[name] is None else as_text(measurement[name]), text)
        for name, words, as_text, text in (
            (
                "ring_index_of_sectors",
                "partial rings",
                "{:.3g}".format,
                "ring index of eight parts of the circle",
            ),
            (
                "signal_to_noise",
                "SNR",
                "{:.4g}".format,
                "mean over deviation of the brighter material's windows",
            ),
            ("contrast_to_noise", "CNR", "{:.4g}".format, "of the homogeneous windows of two materials"),
            (
                "cupping",
                "cupping",
                "{:+.2%}".format,
                "rise from the axis to the rim, of the brighter material's mean",
            ),
            ("entropy_bits", "entropy", "{:.3f} bit".format, "of 256 grey values over 0.1 to 99.9 %"),
            (
                "mean_gradient",
                "gradient",
                lambda value: f"{value:.4g} {unit or ''}/px".replace(" /px", " per px"),
                "mean of |∇f|",
            ),
            ("negative_part", "negative", "{:.2%}".format, "of the sum of |f|"),
        )
    ]


def _length(pixels: float | None, metres: float | None) -> str:
    if pixels is None:
        return "–"
    return f"{pixels:.3g} px" + ("" if metres is None else f" = {units.show(metres, 'm', 3)}")


def _show_histogram(measurement: dict[str, Any]) -> None:
    """Draw the histogram between the percentiles 0.1 and 99.9."""
    import numpy as np

    edges, counts = (np.asarray(measurement["histogram"][name]) for name in ("edges", "counts"))
    middle = (edges[1:] + edges[:-1]) / 2
    low, high = measurement["percentiles"]["0.1"], measurement["percentiles"]["99.9"]
    if not low < high:
        return
    lines, ends = np.histogram(middle, LINES, (low, high), weights=counts)
    for count, first in zip(lines, ends, strict=False):
        click.echo(f"  {first:>11.4g}  {'█' * round(50 * count / max(lines.max(), 1))}")
