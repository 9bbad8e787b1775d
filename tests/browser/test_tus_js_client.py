"""tus-js-client, the client of the makers of tus, under Node against this server."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tomarium.catalogue import LOCAL_OWNER, open_catalogue
from tomarium.catalogue.uploads import KEPT_S, Uploads

MODULES = Path(__file__).parents[2] / "web" / "node_modules"
NODE = shutil.which("node")


@pytest.fixture(scope="module")
def told(
    tmp_path_factory: pytest.TempPathFactory, serving: Callable[..., Any]
) -> tuple[dict[str, Any], Uploads]:
    if NODE is None:
        pytest.skip("no Node.js on this machine (apt-get install nodejs)")
    if not (MODULES / "tus-js-client").is_dir():
        pytest.skip("tus-js-client is not installed (make web)")
    home = tmp_path_factory.mktemp("tus")
    with open_catalogue(home / "catalogue.sqlite") as catalogue, serving(catalogue) as address:
        said, uploads = ask(address), Uploads(home / "uploads")
        late = uploads.begin(LOCAL_OWNER)
        upload = uploads.create(LOCAL_OWNER, late, "late.bin", 300_000)
        uploads.assemble(LOCAL_OWNER, said["batch"])  # what is whole is not cleared away
        assert uploads.clean(time.time() + 1.01 * KEPT_S) == [late]
        said["late"] = ask(address, f"{address}/uploads/{upload.id}", late)["status"]
    return said, uploads


def ask(address: str, *more: str) -> dict[str, Any]:
    """Run the client, and return what it told."""
    command = [str(NODE), str(Path(__file__).with_name("tus_client.mjs")), address, str(MODULES), *more]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_every_file_is_there_byte_by_byte(told: tuple[dict[str, Any], Uploads]) -> None:
    said, uploads = told
    folder = uploads.assemble(LOCAL_OWNER, said["batch"])
    found = {place.relative_to(folder).as_posix(): place for place in folder.rglob("*") if place.is_file()}
    names = {"plain", "b/at-once", "stopped", "checked", "gone"}
    assert found.keys() == {f"a/{name}.bin" for name in names} | {"a/empty.bin"}
    sums = {name: hashlib.sha256(place.read_bytes()).hexdigest() for name, place in found.items()}
    assert sums.pop("a/empty.bin") == hashlib.sha256(b"").hexdigest()
    assert set(sums.values()) == {said["sha256"]}


def test_what_was_stopped_goes_on_where_it_was(told: tuple[dict[str, Any], Uploads]) -> None:
    said, _ = told
    assert (said["stoppedAt"], said["sentAgain"]) == (100_000, 200_000)


def test_a_wrong_checksum_is_answered_with_460_and_the_piece_sent_again(
    told: tuple[dict[str, Any], Uploads],
) -> None:
    assert told[0]["refused"] == 1


def test_what_has_expired_is_told_to_be_gone(told: tuple[dict[str, Any], Uploads]) -> None:
    assert told[0]["late"] == 404


def test_what_is_gone_is_begun_anew_and_a_deferred_length_refused(
    told: tuple[dict[str, Any], Uploads],
) -> None:
    said, _ = told
    assert said["anew"] is True
    assert said["deferred"] == 400
