"""Who is on shift, also at midnight and in the night when clocks are changed."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tomarium.beamtime.roster import ROSTER, Roster, Shift, problems, read_roster, set_shift, write_roster
from tomarium.cli import execute
from tomarium.errors import InputError

TEXT = """\
timezone = "Europe/Paris"

[[shift]]
from = 2026-11-28T22:00:00
to = 2026-11-29T06:00:00
acquisition = "Ada"
reconstruction = ["Ben", "Chloé"]
samples = ["Dan"]

[[shift]]
from = "2026-11-29 06:00"
to = 2026-11-29T14:00:00+01:00
acquisition = "Eve"
reconstruction = "Fay"
samples = "Gus"
"""


def read(folder: Path, text: str) -> Roster:
    (folder / ROSTER).write_text(text)
    found = read_roster(folder)
    assert found
    return found


def test_who_is_on_shift_around_midnight_and_at_the_change(tmp_path: Path) -> None:
    roster = read(tmp_path, TEXT)
    for told, who in (
        ("2026-11-28T20:59:59+00:00", []),
        ("2026-11-28T21:00:00+00:00", ["Ada"]),
        ("2026-11-28T23:30:00+00:00", ["Ada"]),
        ("2026-11-29T13:59:00+09:00", ["Ada"]),
        ("2026-11-29T05:00:00+00:00", ["Eve"]),
        ("2026-11-29T13:00:00+00:00", []),
    ):
        when = datetime.fromisoformat(told)
        assert [name for shift in roster.at(when) for name in shift.roles["acquisition"]] == who, told
    assert problems(roster) == []


def test_the_night_when_clocks_are_changed(tmp_path: Path) -> None:
    roster = read(
        tmp_path, TEXT.replace("2026-11-28T22", "2026-10-24T22").replace("2026-11-29T06", "2026-10-25T06")
    )
    night = roster.shifts[0]
    assert (night.ends - night.begins).total_seconds() == 9 * 3600
    for time, told in (("2026-10-25T02:30:00", "shows twice"), ("2027-03-28T02:30:00", "shows never")):
        with pytest.raises(InputError, match=told):
            read(tmp_path, TEXT.replace("2026-11-28T22:00:00", time))
    early = read(tmp_path, TEXT.replace("2026-11-29T06:00:00", "2026-11-29T05:00:00"))
    moved = set_shift(
        Roster("Europe/Paris"),
        Shift(
            datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
            datetime(2026, 10, 25, 6, tzinfo=UTC),
            {"samples": ("Z",)},
        ),
    )
    write_roster(tmp_path, moved)
    assert read_roster(tmp_path) == moved, "02:30 summer time keeps its offset"
    assert problems(early) == ["nobody is on shift from 2026-11-29 05:00 to 2026-11-29 06:00"]


def test_overlaps_and_roles_that_nobody_has(tmp_path: Path) -> None:
    roster = read(
        tmp_path, TEXT.replace("2026-11-29T06:00:00", "2026-11-29T07:00:00").replace('samples = "Gus"\n', "")
    )
    assert problems(roster) == [
        "two shifts overlap from 2026-11-29 06:00 to 2026-11-29 07:00",
        "from 2026-11-29 06:00 to 2026-11-29 14:00 nobody has: Samples and data transfer",
    ]


def test_what_is_wrong_is_named(tmp_path: Path) -> None:
    for old, new, told in (
        ('timezone = "Europe/Paris"', "", "has no timezone"),
        ("Europe/Paris", "Europe/Pariss", "there is no time zone"),
        ("acquisition", "aquisition", "'aquisition'"),
        ("2026-11-29T06", "2026-11-27T06", "an end after its beginning"),
        ('"2026-11-29 06:00"', '"six"', "a day and a time were expected"),
        ('"Ada"', "7", "a name or a list of names"),
    ):
        with pytest.raises(InputError, match=told):
            read(tmp_path, TEXT.replace(old, new, 1))


def test_the_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "beamtime.toml").touch()
    monkeypatch.chdir(tmp_path)
    times = ["2026-11-28 22:00", "2026-11-29 06:00"]
    all_roles = ["--acquisition", "Ada", "--reconstruction", "Ben", "--samples", "Chloé"]
    assert execute(["roster", "set", *times, *all_roles]) == 2
    assert "time zone is wanted" in capsys.readouterr().err
    assert execute(["roster", "set", *times, *all_roles, "--zone", "Europe/Paris"]) == 0
    assert execute(["roster", "set", *times, "--acquisition", "Eve"]) == 1
    capsys.readouterr()
    assert execute(["roster", "show", "--at", "2026-11-29 03:00"]) == 1
    told = capsys.readouterr()
    assert "2026-11-28 22:00 to 2026-11-29 06:00  on shift" in told.out
    assert "Eve" in told.out
    assert "Ada" not in told.out
    assert "nobody has: Reconstruction, Samples and data transfer" in told.err
    assert execute(["roster", "set", *times]) == 0
    assert execute(["roster", "set", *times]) == 2
