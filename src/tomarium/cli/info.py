"""`tomarium info`: what a file is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from tomarium import units
from tomarium.cli import scan_options, show
from tomarium.model import Image, Scan, Value, parameter
from tomarium.model.geometry import FIELDS, Field

if TYPE_CHECKING:
    from tomarium.formats.format import Format, Match

# Control systems tell of hundreds.
_MOST_MOTORS: Final = 16


@click.command("info")
@scan_options.SCAN_OR_ADDRESS
@scan_options.opening
@click.option("--all", "everything", is_flag=True, help="List the values under the file's own names too.")
@click.option("--json", "as_json", is_flag=True, help="Print it for machines.")
def command(
    path: Path,
    opening: scan_options.Opening,
    everything: bool,
    as_json: bool,
) -> int:
    """Say what SCAN is, why it is thought so, and every value with its unit and origin.

    Only headers are read, so it is quick for a file of any size. Images are told by their axes. SCAN may be the address
    of an OME-Zarr image on the web.

    \b
    tomarium info scan.h5
    tomarium info tiffs/ --pixel '0.65 um'
    tomarium info https://data.example.org/bone.zarr
    tomarium info maps.nxs --entry /entry1/xrd_entry/data
    tomarium info any.h5 --data /a/frames --flats flats.h5:/b --angles /a/theta
    """
    from tomarium.formats.opening.summary import describe

    opened = opening.open(path)
    description = describe(opened, _recognised(path, opened) if isinstance(opened, Image) else None)
    if as_json:
        show.as_json(description)
    else:
        click.secho(show.short(opened.name, 120), bold=True)
        if isinstance(opened, Image):
            _show_image(description)
        else:
            _show_scan(opened, description, everything)
    return 1 if description["warnings"] else 0


def _recognised(path: Path, image: Image) -> tuple[Format, Match]:
    if isinstance(path, Path):
        from tomarium.formats import recognise

        return recognise(path)[0]
    from tomarium.datasets.web_image import recognised

    return recognised(image)


def _show_image(description: dict[str, Any]) -> None:
    from tomarium.formats.opening.image_user_values import SOURCES

    unit = f", values in {description['unit']}" if description["unit"] else ""
    sources = description["metadata"].get(SOURCES) or {}
    entries = description["entries"] if len(description["entries"]) > 1 else []
    show.table(
        [
            ("format", f"{description['format']} ({description['dialect']})", description["why"]),
            (
                description["kind"],
                " × ".join(map(str, description["shape"])),
                f"{description['dtype']}{unit}",
            ),
            *[(f"axis {axis['name']}", *_axis_text(axis)) for axis in description["axes"]],
            *[(f"entry {number}", show.short(entry, 200), "") for number, entry in enumerate(entries, 1)],
            *[
                row
                for name, value in description["metadata"].items()
                if name != SOURCES
                and value not in ([], {}, "")
                and value != description["why"]
                and name != "format"
                for row in _rows_of_value(name, value, sources.get(name))
            ],
        ]
    )
    for text in description["missing"]:
        click.echo(f"  missing: {show.line(text)}")
    show.warnings(description["warnings"])


def _rows_of_value(name: str, value: Any, source: dict[str, str] | None) -> list[tuple[str, str, str]]:
    """Tell a value; of a run that made a volume, what it was made of, by which steps, with which geometry."""
    match value if name == "provenance" else None:
        case {
            "protocol": {"steps": [*steps]},
            "source": {"path": made_of},
            "geometry": dict(geometry),
            "finished": finished,
        }:
            names = [
                step if isinstance(step, str) else " ".join(step)
                for step in steps
                if isinstance(step, str | dict)
            ]
            return [
                ("made of", show.short(made_of), show.short(f"run finished {finished}")),
                ("steps", str(len(names)), show.short(" → ".join(names), 200)),
                *_rows_of_geometry(geometry),
            ]
    return [(show.short(name), *_value_and_source(name, value, source))]


def _rows_of_geometry(geometry: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    for field in FIELDS:
        match geometry.get(field.name):
            case {"value": int() | float() as number, "origin": origin, "source": place, **more}:
                in_file = more.get("column_in_file")
                also = "" if in_file is None else f"column {in_file:.2f} of the file; "
                yield (
                    field.words,
                    units.show(number, field.unit, 6),
                    show.short(f"{also}{origin}: {place}", 200),
                )


def _value_and_source(name: str, value: Any, source: dict[str, str] | None) -> tuple[str, str]:
    """Return a value with its unit, and where it comes from, where the format tells."""
    if source is None:
        return show.short(value), ""
    return show.short(parameter.show(name, value)), show.short(f"{source['origin']}: {source['source']}", 200)


def _axis_text(axis: dict[str, Any]) -> tuple[str, str]:
    if axis["unit"] == "px":
        return f"{axis['length']} px", "not calibrated"
    first, last, step = (units.show(axis[name], axis["unit"]) for name in ("first", "last", "scale"))
    spacing = f"steps of {step}" if axis["even"] else "uneven steps"
    return f"{first} … {last}, {axis['length']}", spacing if axis["unit"] else f"{spacing}, unit not given"


def _show_scan(scan: Scan, description: dict[str, Any], everything: bool) -> None:
    from tomarium.formats.opening.profile_values import FACTS

    angles = description["angles_deg"]
    show.table(
        [
            ("format", f"{description['format']} ({description['dialect']})", description["why"]),
            ("frames", ", ".join(f"{count} {kind}" for kind, count in description["frames"].items()), ""),
            (
                "shape",
                " × ".join(str(length) if length else "?" for length in description["shape"]),
                f"frames × rows × columns, {description['dtype'] or 'not known without the files that are missing'}",
            ),
            (
                "angles",
                f"{angles['first']:.6g}° … {angles['last']:.6g}°, {angles['count']}",
                f"{angles['origin']}: {scan.angles_deg.source}",
            ),
            *[
                (field.words, *_field_text(field, value))
                for field in FIELDS
                if field.name != "angles_deg"
                and ((value := getattr(scan.geometry, field.name)) is not None or field.expected)
            ],
            *_motors(scan, everything),
            *([("values", scan.domain, "")] if scan.domain != "counts" else []),
            *[
                (show.short(name), show.short(value.value), f"{value.origin}: {value.source}")
                for name, value in scan.metadata.items()
                if (everything or not name.startswith("/")) and name != FACTS
            ],
            *_facts_for_record(scan),
        ]
    )
    more = len(scan.geometry.motors) - _MOST_MOTORS
    if more > 0 and not everything:
        click.echo(f"  and {more} motors; --all lists them")
    raw = sum(name.startswith("/") for name in scan.metadata)
    if raw and not everything:
        click.echo(f"  and {raw} values under the file's own names; --all lists them")
    for title, texts in (("missing", scan.missing), ("repaired", scan.repaired)):
        for text in texts:
            click.echo(f"  {title}: {show.line(text)}")
    show.warnings(scan.warnings)


def _facts_for_record(scan: Scan) -> list[tuple[str, str, str]]:
    """Tell what the beamtime states of the records that are made of a scan, besides what is shown already."""
    from tomarium.formats.opening.profile_values import FACT_TEXTS, FACTS

    value = scan.metadata.get(FACTS)
    facts = value.value["facts"] if value is not None else {}
    return [
        (f"record: {name}", show.short(fact["value"]), f"profile: {fact['source']}")
        for name, fact in facts.items()
        if name not in FACT_TEXTS
    ]


def _motors(scan: Scan, everything: bool) -> list[tuple[str, str, str]]:
    """Tell where motors stood, those that moved first."""
    motors = sorted(scan.geometry.motors.items(), key=lambda item: not item[1].moved)
    return [
        (
            show.short(f"motor {name}"),
            motor_positions.shown,
            show.short(f"{motor_positions.origin}: {motor_positions.source}", 200),
        )
        for name, motor_positions in motors[: None if everything else _MOST_MOTORS]
    ]


def _field_text(field: Field, value: Value[Any] | None) -> tuple[str, str]:
    unit = "" if field.name == "axis_column" else field.unit
    if value is None or not field.per_view:
        return show.value(value, unit)
    low, high = (units.show(float(edge), unit) for edge in (min(value.value), max(value.value)))
    return f"{low} … {high}, {len(value.value)}", f"{value.origin}: {value.source}"
