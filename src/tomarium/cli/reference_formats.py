"""What a user should know of each format before trusting it: its traps, and a command to begin with."""

from __future__ import annotations

import sys
from inspect import cleandoc
from typing import Final

from tomarium.formats.format import Format

# name → (commands, traps). What a reader is and where it comes from is said by its own module.
TOLD: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "als": (
        ("tomarium info scan.h5", "tomarium convert scan.h5 scan.nx"),
        ("Both ends of the range are frames, so the step is range / (frames - 1).",),
    ),
    "bliss": (
        ("tomarium info raw.h5", "tomarium info raw.h5 --entry 5.1"),
        ("The frames lie in files the raw file links to: copy them along, under the names it gives them.",),
    ),
    "csv": (
        ("tomarium convert scan.nx frames.csv",
         "tomarium convert scan.nx angles.csv --data /entry/data/rotation_angle"),
        ("The unit stands in the name of the column, `energy [keV]`; a column without one has none.",
         "A table whose `# rows:` says more than there are is refused as truncated."),
    ),
    "data-exchange": (
        ("tomarium info scan.h5", "tomarium info scan.h5 --entry exchange_2", "tomarium convert scan.nx scan.h5"),
        ("A value without a unit has that of the guide's Table 36, J for an energy and m for a pixel; it is said.",
         "The guide contradicts itself in twenty places; each spelling is read, and told as repaired.",
         "An energy of the source in GeV is the ring's, not the photons'.",
         "Without theta the angles come from /process/acquisition, else 0° to 180° are assumed; `info` says which.",
         "Without data_white or data_dark, or with one frame of zeros, flat_field_value or dark_field_value of "
         "/process/acquisition is taken for each pixel, and it is said.",
         "data_shift_x and data_shift_y are not applied, and told with the options that do: their sign is not defined.",
         "Motors, slits and whatever else the guide does not name are read under their own names, in SI: "
         "`mirror_angle_deg`."),
    ),
    "dimax": (
        ("tomarium info recording.tif", "tomarium convert recording.tif turn.nx"),
        ("Without time stamps, the beginning of the recording is an estimate, and so are the frames of a turn.",),
    ),
    "edf": (
        ("tomarium info bone_01_/", "tomarium convert bone_01_/ scan.nx", "tomarium convert scan.nx bone_edf --to edf"),
        ("Where the `.info` and the headers disagree on the angles, the `.info` is believed, and it is said.",
         "Without an `.info`, and without angles in the headers, 0° to 180° are assumed, and it is said.",
         "Files that are not of the series are left out and named.",
         "`.edf.gz` and `.edf.bz2` are unpacked once, into memory or a temporary file."),
    ),
    "data-exchange-maps": (
        ("tomarium info xrf.h5", "tomarium convert xrf.h5 maps.nxs"),
        ("Positions without a unit, as MAPS writes them, are kept as they are and marked uncalibrated.",
         "Spectra, and what lies in /MAPS, are not read."),
    ),
    "edax": (
        ("tomarium info map.h5", "tomarium info map.h5 --entry 'Scan 1/IQ'"),
        ("Patterns are in px and marked uncalibrated; the steps between the points are lengths.",
         "The points of a hexagonal grid stay in a row."),
    ),
    "czi": (
        ("pip install 'tomarium[czi]'", "tomarium info cells.czi --entry 'scene 1'"),
        ("pylibCZIrw is LGPL-3.0 and not installed by itself.",
         "Rotations, illuminations, phases and views are refused where there are several; export such a file from "
         "ZEN as OME-TIFF.",
         "Pixels of a mosaic that no tile covers are 0."),
    ),
    "ebsd": (
        ("tomarium info map.ctf", "tomarium convert map.ctf contrast.png --lossy",
         "tomarium info map.ang --entry phase"),
        ("Each column is an image of its own; `info` lists them, `--entry` chooses one, by default the contrast BC or "
         "the quality IQ.",
         "Angles are in degrees in `.ctf` and in radians in `.ang`, as these files have them.",
         "Points of a hexagonal grid stay in a row; export a square grid to see and align them.",
         "Phase 0 is what was not indexed; in an `.ang` of one phase it may be that phase: look at CI."),
    ),
    "flyscan": (
        ("tomarium info bone_01/", "tomarium info bone_01/bone_01.nxs --angles /flyscan_00001/scan_data/tomo2Rx"),
        ("Open the folder: flats and darks lie beside the file of projections.",
         "Motors have no fixed names; where another than the rotation was taken, choose it with `--angles`."),
    ),
    "jpeg2000": (
        ("tomarium convert volume.ome.zarr slices --to jpeg2000", "tomarium info slices/"),
        ("Without `volume.json` beside the pages, grey values have no unit and voxels no size.",
         "Real numbers that 16 bits do not hold are rounded with `--lossy`; by how much is written beside the pages."),
    ),
    "metaimage": (
        ("tomarium info volume.mha", "tomarium convert volume.ome.zarr volume.mha",
         "tomarium convert volume.ome.zarr volume.mhd"),
        ("A unit of length is rarely written; mm are assumed, and it is said: check the voxel size.",
         "`.mhd` is a header with a `.raw` beside it; its voxels are read from its own folder alone.",
         "Voxels in a list of files, or written as text, are refused; axes that are turned in space are told."),
    ),
    "microscopy": (
        ("pip install 'tomarium[microscopy]'", "tomarium info map.bcf"),
        ("RosettaSciIO is GPL-3.0 and not installed by itself.",
         "An image without a scale is in px and marked uncalibrated; give it one with `--pixel`."),
    ),
    "mrc": (
        ("tomarium info tilt.mrc", "tomarium convert volume.ome.zarr volume.mrc"),
        ("Without angles beside it or in its header a stack is no scan.",
         "Lengths are in Å in the file, in m here.",
         "`.mrc.gz` and `.mrc.bz2` are read as `.mrc` is; angles beside it are named `tilt.rawtlt` all the same."),
    ),
    "nexus-maps": (
        ("tomarium info maps.nxs", "tomarium info maps.nxs --entry /entry1/xrd_entry/data"),
        ("A file often holds several images; `info` lists them, `--entry` chooses one.",
         "It is the one format that holds an image of any axes, with their positions and units."),
    ),
    "nrrd": (
        ("tomarium info volume.nrrd", "tomarium convert volume.ome.zarr volume.nrrd",
         "tomarium measure segmentation.seg.nrrd --objects"),
        ("Where no unit of length is written, mm are assumed in the space of a body alone, and it is said; else it is "
         "in px.",
         "gzip and bzip2 are unpacked into a temporary file when the first voxels are read; text and lists of files "
         "are refused.",
         "Segmentations of 3D Slicer are labels. Axes that are turned in space are told, and not turned back."),
    ),
    "nxtomo": (
        ("tomarium info scan.nx", "tomarium convert scan.h5 scan.nx",
         "tomarium info projections.nxs --flats flats.h5 --darks darks.h5"),
        ("Where image_key_control and image_key differ, the first is taken.",
         "Angles without a unit are taken for radians where they span π or 2π or none is above 2π, else for degrees; "
         "it is said, and `--angles FIRST:LAST:COUNT` tells otherwise.",
         "Written of a half acquisition, or of what its file called one, it says so: field_of_view, half_acquisition.",
         "Frames may lie in files that are not there: the scan opens all the same, and says which.",
         "Where frames and keys are not as many, what has no partner is left out, and it is said."),
    ),
    "nxtomophase": (
        ("tomarium info steps.nxs", "tomarium info steps.nxs --entry ENTRY"),
        ("Each phase step is a scan of its own; `info` lists their names.",),
    ),
    "nxtomoproc": (
        ("tomarium info volume.nx", "tomarium convert volume.ome.zarr volume.nx"),
        ("The definition has x first, programs write z first: look at one slice before you trust the axes.",),
    ),
    "ome-zarr": (
        ("tomarium info volume.ome.zarr", "tomarium convert volume.vol volume.ome.zarr --to ome-zarr"),
        ("A volume whose writer was stopped is refused until it is finished: repeat the run.",),
    ),
    "ome-zarr-0.4": (
        ("tomarium convert volume.ome.zarr old.ome.zarr --to ome-zarr-0.4",),
        ("It has a file for each chunk, so many more files than 0.5.",),
    ),
    "picture": (
        ("tomarium info micrograph.tif", "tomarium convert map.nxs map.tif",
         "tomarium convert map.nxs map.png --lossy"),
        ("One TIFF page is an image; given its angles it is a sinogram, and in its folder a frame of a scan.",
         "PNG and JPEG tell no size of a pixel: give it as `--pixel`.",
         "A picture is unpacked whole when a part of it is read."),
    ),
    "pyhst-par": (
        ("tomarium info bone.par", "tomarium convert scan.h5 bone.par"),
        ("It is read as data and never run; an unchanged one is written back to the byte.",
         "Flats and darks that uint16 does not hold make all frames float32; of attenuation no logarithm is asked for.",
         "Written of a half acquisition, it asks PyHST2 to join its views: OPTIONS, PENTEZONE, a wider END_VOXEL.",
         "A cone beam, a helical scan and an axis along the rows are told; so is each correction it asks for, with the "
         "words that ask for it here, as opening makes none."),
    ),
    "pyhst-volume": (
        ("tomarium info bone.vol", "tomarium convert volume.ome.zarr bone.vol"),
        ("Without `.vol.info` beside it the bytes have no shape, and it is refused.",
         "A file whose size is not that of its `.info` is refused with both."),
    ),
    "raw-volume": (
        ("tomarium info sand_200x200x100_uint8.raw --pixel '2 um'", "tomarium convert volume.ome.zarr volume.raw"),
        ("Without `.raw.info`, sizes and type are taken from the name, x first, little-endian; it is said.",
         "Where the type is not told either, the bytes of a voxel decide it."),
    ),
    "record": (
        ("tomarium info records/tooth", "tomarium convert records/tooth tooth.tif",
         "tomarium diff records/tooth records/tooth_again"),
        ("Opening it does not compare its files with their checksums; `tomarium doctor records/tooth` does.",),
    ),
    "sinogram": (
        ("tomarium slice sinogram.tif --angles 0:180:721 --domain attenuation -o slice.png",
         "tomarium axis sinogram.tif --angles angles.h5:/theta --axes column,angle"),
        ("No file says that it is a sinogram: without angles an array is refused, with the number that is needed, "
         "and a TIFF page is an image.",
         "A text beside it tells them too: sinogram_angles.txt or sinogram.angles.txt; sinogram.txt or angles.txt "
         "where their numbers fit.",
         "Columns that are stored first are seen where the angles fit the other axis only; else say --axes "
         "column,angle."),
    ),
    "tiff": (
        ("tomarium info tiffs/", "tomarium convert tiffs/ scan.h5 --to data-exchange --pixel '0.65 um'"),
        ("TIFF tells no angles: a text of them beside the frames, else 0° to 180° are assumed, and it is said.",
         "Flats and darks are known by their names or folders; of another folder they are named: `--flats FOLDER`, "
         "`--darks FOLDER`.",
         "Numbers that are absent from the series are named.",
         "`.tif.gz` and `.tif.bz2` are read as `.tif` is; a large one is unpacked into the folder that TMPDIR names."),
    ),
    "tiff-slices": (
        ("tomarium info slices/", "tomarium convert slices/ volume.ome.zarr",
         "tomarium run projections/ --angles 0:180:721 --domain attenuation"),
        ("A folder of projections looks alike: flats, darks or angles beside the files, names that say "
         "projections, or `--angles`, `--flats`, `--darks` or `--domain`, make it a scan. Where nothing says what it "
         "is, it is taken for slices, and every command says so.",),
    ),
    "tiff-volume": (
        ("tomarium info volume.tif", "tomarium convert volume.ome.zarr volume.tif",
         "tomarium run stack.tif --angles 0:180:721 --flats flats.tif --darks darks.tif"),
        ("A voxel size that is not in µm or the like is in px, and marked uncalibrated.",
         "A file whose description tells no voxel size may hold projections: a name that says so, a series of times, "
         "or `--angles`, `--flats`, `--darks` or `--domain` make it a scan. Where nothing says what it is, it is taken "
         "for slices, and every command says so."),
    ),
    "txrm": (
        ("tomarium info scan.txrm", "tomarium convert scan.txrm scan.nx"),
        ("The sign of the angle is that of the file; the other one mirrors every slice.",
         "Shifts of alignment are told and not applied.",
         "An `.xrm` is one image; `info` tells its energy, angle and distances with the stream of each."),
    ),
}  # fmt: skip


def capabilities(form: Format) -> str:
    """Say whether a format is only read, and what is written in it.

    Parameters
    ----------
    form : Format
        The format.

    Returns
    -------
    str
        "read", or "read, write scans and volumes".
    """
    if form.write is None:
        return "read"
    return f"read, write {' and '.join(f'{kind}s' for kind in sorted(form.writes))}".rstrip()


def section(form: Format) -> str:
    """Write what should be known of a format.

    Parameters
    ----------
    form : Format
        The format.

    Returns
    -------
    str
        Markdown: what it reads, by its own module, then its traps and commands. For a format of another package
        without what is told here.
    """
    home = sys.modules.get(form.detect.__module__)
    text = cleandoc(home.__doc__) if home is not None and home.__doc__ else form.title
    commands, traps = TOLD.get(form.name, ((f"tomarium info {form.name}",), ()))
    parts = [f"## {form.name}", text]
    if traps:
        parts.append("Know:\n\n" + "\n".join(f"- {trap}" for trap in traps))
    parts.append("\n".join(["```sh", *commands, "```"]))
    return "\n\n".join(parts) + "\n"
