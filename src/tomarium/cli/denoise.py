"""`tomarium denoise`: less noise in a finished volume, by a strength that the views tell."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tomarium.cli import show
from tomarium.errors import InputError

if TYPE_CHECKING:
    from tomarium.kernels.denoising import Filter


@click.command("denoise")
@click.argument("path", metavar="RECORD | VOLUME", type=click.Path(path_type=Path))
@click.argument("target", metavar="OUT", type=click.Path(path_type=Path))
@click.option(
    "--method",
    type=click.Choice(["auto", "gaussian", "tv"]),
    default="auto",
    show_default=True,
    help="Filter: a Gaussian, total variation, or the better of both.",
)
@click.option(
    "--strength", type=float, help="Standard deviation in px, or weight in the volume's unit; not tuned then."
)
@click.option("--splits", type=click.IntRange(2, 8), default=4, show_default=True, help="Parts of the views.")
@click.option(
    "--scan",
    type=click.Path(path_type=Path),
    help="Where the record's scan lies now; by default where it lay then.",
)
@click.option("--overwrite", is_flag=True, help="Replace OUT where it is there already.")
@click.option("--json", "as_json", is_flag=True, help="Print the report for machines.")
def command(
    path: Path,
    target: Path,
    method: str,
    strength: float | None,
    splits: int,
    scan: Path | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Denoise the volume of a RECORD slice by slice, and write it to OUT.

    The strength is tuned by the data alone: three slices are reconstructed from each fourth of the views by the
    record's own protocol; what the filter makes of three fourths is compared with the one that is left, whose noise
    is independent (Noise2Inverse). Streaks that a fourth of the views has are told from noise first. Where no filter
    makes the volume better, it is left as it is.

    With --strength any VOLUME is denoised, and no scan is needed.

    \b
    tomarium denoise record/ quiet.ome.zarr
    tomarium denoise record/ quiet.tif --method tv
    tomarium denoise volume.tif quiet.tif --method gaussian --strength 0.8
    """
    from tomarium import formats
    from tomarium.catalogue.make_record import again_of
    from tomarium.conversion.target_format import choose
    from tomarium.formats.opening.messages import no_volume
    from tomarium.kernels.denoising import FILTERS
    from tomarium.model import Volume
    from tomarium.pipeline.denoise.denoise import tune, write_denoised

    if target.exists() and not overwrite:
        raise InputError(
            f"{target}: exists already; give another name, or allow to overwrite it (--overwrite)"
        )
    choose(target, "volume", None)  # an ending that nothing writes is told before anything is computed
    volume = formats.open(path)
    if not isinstance(volume, Volume):
        raise InputError(no_volume(path, volume))
    tell = show.progress()
    kind: Filter = "gaussian" if method == "gaussian" else "tv"
    account: dict[str, object] = {"chosen_by": "given by the user"}
    if strength is not None:
        if method == "auto" or strength < 0:
            raise click.UsageError("--strength goes with --method gaussian or tv, and is not negative")
    elif not (path / "provenance.json").is_file():
        raise InputError(
            f"{path}: is no record, so its views are not known; give a strength, such as --method gaussian "
            f"--strength 0.8"
        )
    else:
        repeated_run = again_of(path, scan)
        kinds = FILTERS if method == "auto" else (kind,)
        tuned = tune(
            repeated_run.scan, repeated_run.protocol, repeated_run.rows, kinds=kinds, splits=splits, tell=tell
        )
        kind, strength = tuned.kind, tuned.strength
        account = {
            "chosen_by": "Noise2Inverse over parts of the views",
            **asdict(tuned),
            "rows": list(tuned.rows),
        }
    written = write_denoised(volume, target, kind, strength, account, overwrite=overwrite, tell=tell)
    if as_json:
        show.as_json(
            {"target": str(target), "filter": kind, "strength": strength, "unit": volume.unit, **account}
        )
        return
    click.secho(f"{target}: {written.format}", bold=True)
    unit = "px" if kind == "gaussian" else volume.unit
    if strength == 0:
        click.echo("  no filter makes it better: the volume was copied as it is")
    else:
        click.echo(f"  {kind}, strength {strength:.4g} {unit}: {account['chosen_by']}")
    if "gain" in account:
        click.echo(f"  estimate: {100 * float(str(account['gain'])):.0f} % of the mean square error is left")
