"""`tomarium align`: how one image of a specimen lies in another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click
import numpy as np

from tomarium import units
from tomarium.cli import show
from tomarium.errors import InputError

if TYPE_CHECKING:
    from tomarium.specimen.alignment import Alignment
    from tomarium.specimen.image import Image


@click.command("align")
@click.argument("fixed", metavar="FIXED", type=click.Path(path_type=Path))
@click.argument("moving", metavar="MOVING", type=click.Path(path_type=Path))
@click.option("--near", is_flag=True, help="MOVING lies within 32° of the start: quicker, and surer.")
@click.option(
    "--start",
    "start_file",
    type=click.Path(path_type=Path),
    metavar="LINK.json",
    help="Begin with the matrix of this file, as --out wrote it; else the middles lie on each other.",
)
@click.option("--no-mirror", is_flag=True, help="Do not try mirror images.")
@click.option("--scale", is_flag=True, help="A voxel size may be wrong by some 6 %: find the factor too.")
@click.option(
    "--landmarks",
    "landmark_file",
    type=click.Path(path_type=Path),
    metavar="FILE.csv",
    help="Fit these points, as BigWarp writes them, in place of a search.",
)
@click.option("--landmark-unit", metavar="UNIT", help="Unit of their coordinates, such as um.")
@click.option("--pixel", metavar="LENGTH", help="Pixel size of MOVING, where its file does not tell it.")
@click.option("--pixel-fixed", metavar="LENGTH", help="Pixel size of FIXED.")
@click.option("--entry", metavar="NAME", help="Which image of MOVING, of a file that holds several.")
@click.option("--entry-fixed", metavar="NAME", help="Which image of FIXED.")
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), metavar="LINK.json", help="Write the result there."
)
@click.option(
    "--picture",
    type=click.Path(path_type=Path),
    metavar="CHECK.png",
    help="Draw both images on each other, before and after.",
)
@click.option("--overwrite", is_flag=True, help="Replace files that are there already.")
@click.option("--json", "as_json", is_flag=True, help="Print the result for machines.")
def command(
    fixed: Path,
    moving: Path,
    near: bool,
    start_file: Path | None,
    no_mirror: bool,
    scale: bool,
    landmark_file: Path | None,
    landmark_unit: str | None,
    pixel: str | None,
    pixel_fixed: str | None,
    entry: str | None,
    entry_fixed: str | None,
    out: Path | None,
    picture: Path | None,
    overwrite: bool,
    as_json: bool,
) -> int:
    """Find how the image MOVING lies in the image FIXED: volumes, sections, maps, or records of them.

    Two volumes, a section or map in a volume, or two flat images of one plane; of one technique or of two, such as a
    CT volume and a map of silicon. All orientations and places are searched, mirror images too; then the best are
    refined by their mutual information, to parts of a voxel.

    The best is judged against what unrelated places of the same two images reach. It is accepted where the chance that
    one of those fits as well is below 5 %, and a point's place is known to half a voxel of the coarser image. Else the
    answer is "found with low confidence and not accepted" (a chance below 20 %), or "not found": the end is 1, what is
    lacking is told with its figure, and the best candidates are listed. The matrix maps
    points (x, y, z) of MOVING's frame into FIXED's, in metres; the error told is the standard deviation of where a
    point lies, estimated from the images themselves.

    A frame has its origin and axes as the file tells them; x goes along columns, y along rows, z along slices.

    \b
    tomarium align ct/ eds-map/ --near
    tomarium align ct.ome.zarr si.tif --pixel "4 um" --out link.json --picture check.png
    tomarium align overview.ome.zarr core.ome.zarr --scale
    tomarium align ct/ section/ --landmarks points.csv --landmark-unit um
    """
    from tomarium.specimen.align import align
    from tomarium.specimen.landmarks import read_landmarks

    for target in (out, picture):
        if target is not None and target.exists() and not overwrite:
            raise InputError(
                f"{target}: exists already; give another name, or allow to overwrite it (--overwrite)"
            )
    if (landmark_file is None) != (landmark_unit is None):
        raise click.UsageError("--landmarks and --landmark-unit go together: the file does not tell its unit")
    images = (_open_image(fixed, pixel_fixed, entry_fixed), _open_image(moving, pixel, entry))
    start = None if start_file is None else _matrix_of(start_file)
    search: Literal["near", "global"] = "near" if near else "global"
    alignment = align(
        *images,
        start=start,
        search=search,
        mirror=not no_mirror,
        scale=scale,
        landmarks=None
        if landmark_file is None or landmark_unit is None
        else read_landmarks(landmark_file, landmark_unit),
        on_progress=show.progress(),
    )
    content = {"fixed": str(fixed), "moving": str(moving), **alignment.as_data()}
    if out is not None:
        out.write_text(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n", "utf-8")
    if picture is not None:
        from tomarium.specimen.overlay import draw_check

        picture.write_bytes(draw_check(*images, alignment, start=start))
    if as_json:
        show.as_json(content)
    else:
        _print_alignment(alignment, images)
        for file in (path for path in (out, picture) if path is not None):
            click.echo(f"  {file}")
    return 0 if alignment.accepted else 1


def _open_image(path: Path, pixel: str | None, entry: str | None) -> Image:
    """Read a file, or the image that a record's folder keeps where its file alone would not tell its pixel size."""
    from tomarium.specimen.image import read_image
    from tomarium.standards.ro_crate import FILENAME

    if pixel is None and entry is None and (path / FILENAME).is_file():
        from tomarium.catalogue.align_job import read_placed
        from tomarium.catalogue.record_folder import read_record
        from tomarium.catalogue.specimen_space import images_of

        placed, _ = images_of(read_record(path), path)
        if len(placed) == 1 and placed[0].flat:
            return read_placed(path, placed[0])
    return read_image(path, pixel_m=pixel, entry=entry)


def _matrix_of(path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    try:
        matrix = np.array(json.loads(path.read_text("utf-8"))["matrix"], np.float64)
    except (ValueError, KeyError, TypeError) as problem:
        raise InputError(
            f'{path}: holds no matrix; give a file that --out wrote, or JSON with "matrix": 4 rows of 4 numbers, metres'
        ) from problem
    return matrix


def _print_alignment(alignment: Alignment, images: tuple[Image, Image]) -> None:
    from tomarium.kernels.alignment.rotations import angle_of
    from tomarium.specimen.pose import similarity

    _, turn = similarity(alignment.matrix)
    upright = turn * np.sign(np.linalg.det(turn))
    middle = alignment.map(np.array([images[1].centre_m]))[0]
    click.secho(
        alignment.answer + ("; the best candidate:" if alignment.confidence == "none" else ""),
        bold=True,
        fg=None if alignment.accepted else "yellow",
    )
    rows = [
        ("turned by", f"{np.rad2deg(angle_of(upright)):.2f}°", "mirror image" if alignment.mirrored else ""),
        ("middle at", ", ".join(units.show(float(at), "m") for at in middle), "(x, y, z) of FIXED"),
        ("error", _length(alignment.tre_m), "standard deviation of where a point lies, estimated"),
    ]
    if alignment.method == "landmarks":
        rows.append(
            (
                "landmarks",
                f"{alignment.figures['landmarks']:.0f}",
                f"residual {_length(alignment.figures['residual_m'])}, "
                f"each left out in turn {_length(alignment.figures['left_out_m'])}",
            )
        )
    else:
        rows += _chance_rows(alignment)
    sigma = alignment.figures.get("scale_sigma", float("nan"))
    if np.isfinite(sigma):
        rows.append(("scale", f"{alignment.scale:.4f} ± {sigma:.4f}", "of MOVING's voxel size"))
    show.table(rows)
    if not alignment.accepted:
        for candidate in alignment.candidates:
            placed = candidate.matrix[:3, :3] @ np.array(images[1].centre_m) + candidate.matrix[:3, 3]
            where = ", ".join(units.show(float(at), "m") for at in placed)
            aside = "" if candidate.in_range else "; outside of the range that was searched"
            click.echo(f"  candidate: {candidate.score:.3f} nats, middle at {where}{aside}")
    show.warnings(alignment.notes)


def _length(metres: float) -> str:
    return units.show(metres, "m", 3) if np.isfinite(metres) else "not known"


def _chance_rows(alignment: Alignment) -> list[tuple[str, str, str]]:
    """Tell the score, and how likely unrelated places reach it, where enough of them were found to say so."""
    from tomarium.specimen.judge import CHANCE

    score, chance = f"{alignment.score:.3f} nats", alignment.figures["chance"]
    if not np.isfinite(alignment.null_level):
        return [
            ("score", score, "too few other places were found to compare it with, so its chance is not known")
        ]
    return [
        ("score", score, f"unrelated places reach {alignment.null_level:.3f} at most"),
        (
            "chance",
            "100 %" if chance > 0.995 else f"{100 * chance:.2g} %",
            f"that unrelated places reach that; below {100 * CHANCE:g} % is accepted",
        ),
    ]
