"""`tomarium protocol new` in plain text."""

from __future__ import annotations

from pathlib import Path

from tomarium.cli import execute


def test_a_protocol_in_plain_text_tells_every_parameter(tmp_path: Path) -> None:
    path = tmp_path / "mine.txt"
    assert execute(["protocol", "new", str(path), "--step", "paganin", "--set", "fbp.window=hann"]) == 0
    lines = path.read_text().splitlines()
    assert "fbp --window hann" in lines
    assert any(line.startswith("#   --delta-beta (default ") for line in lines)
    assert execute(["protocol", "check", str(path)]) == 0
    [cutoff] = [line.split()[1] for line in lines if line.startswith("#   --cutoff (default 1.0)")]
    path.write_text(f"flat_field\nfbp {cutoff} 0.5\n")  # spelled as a line of the protocol takes it
    assert execute(["protocol", "check", str(path)]) == 0
