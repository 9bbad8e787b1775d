"""The mocha suite of the PaNOSC search API's reference implementation, asked of our server, not of its own.

It is not kept here: `TOMARIUM_PANOSC_SUITE` names a checkout of github.com/panosc-eu/search-api in which mocha, chai
and supertest are installed (`npm install`). Its tests of PaNET are left out: they count calls of its own server.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tomarium.catalogue import open_catalogue
from tomarium.portal.harvests.panosc import harvest_file

SUITE = os.environ.get("TOMARIUM_PANOSC_SUITE", "")
NAMES = ("dataset", "document", "instrument")
SHIM = """
const Module = require("node:module");
const found = Module._resolveFilename;
Module._resolveFilename = function (name, ...rest) {
  return name.endsWith("server/server") ? process.env.PORTAL_FILE : found.call(this, name, ...rest);
};
"""
"""Their server is a module that supertest is given; it takes an address as well."""


@pytest.mark.skipif(not SUITE, reason="TOMARIUM_PANOSC_SUITE names no checkout of panosc-eu/search-api")
@pytest.mark.skipif(shutil.which("node") is None, reason="no Node.js on this machine")
def test_the_suite_of_the_reference_passes(tmp_path: Path, shared: Callable[[str], Path]) -> None:
    from portal.cutting_portal import served

    (tmp_path / "shim.cjs").write_text(SHIM)
    (tmp_path / "portal.cjs").write_text("module.exports = process.env.PORTAL;")
    tests = [path for name in NAMES if (path := Path(SUITE) / "test" / f"{name}.test.js").is_file()]
    assert tests, f"{SUITE}/test has none of the files {', '.join(NAMES)}.test.js"
    with open_catalogue(tmp_path / "catalogue.sqlite") as catalogue:
        harvest_file(catalogue, shared("catalogue/panosc/db.json"), title="Reference")
        with served(catalogue) as (address, _):
            told = {"PORTAL": f"{address}/panosc", "PORTAL_FILE": str(tmp_path / "portal.cjs")}
            mocha = Path(SUITE) / "node_modules" / "mocha" / "bin" / "mocha.js"
            command = ["node", mocha, "--require", tmp_path / "shim.cjs", "--exit", "--timeout", "20000"]
            done = subprocess.run(
                [*command, "--reporter", "json", *tests],
                cwd=SUITE, env=os.environ | told, capture_output=True, text=True, timeout=300, check=False,
            )  # fmt: skip
    report = json.loads(done.stdout[done.stdout.index("{") :])
    assert [(one["fullTitle"], one["err"].get("message")) for one in report["failures"]] == []
    assert report["stats"]["passes"] >= len(tests)
