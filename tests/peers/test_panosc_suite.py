"""The mocha suite of the PaNOSC search API's reference implementation, asked of our server, not of its own.

It is not kept here: `TOMARIUM_PANOSC_SUITE` names a checkout of github.com/panosc-eu/search-api in which mocha, chai
and supertest are installed (`npm install`).
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
TESTS = {"dataset": 7, "document": 7, "instrument": 2, "panet": 3}
"""File of the suite → how many tests it has."""
SHIM = """
const Module = require("node:module");
const found = Module._resolveFilename;
Module._resolveFilename = function (name, ...rest) {
  if (name.endsWith("server/server")) return process.env.PORTAL_FILE;
  return name === "sinon" ? process.env.SINON_FILE : found.call(this, name, ...rest);
};
"""
"""Their server is a module that supertest is given; it takes an address as well."""
SINON = """
const mock = { calledWith: () => true, callCount: 0 };
exports.createSandbox = () => ({ stub: () => ({ returns: () => mock }), restore() {} });
"""
"""Their tests of PaNET watch their server ask a second one for narrower techniques; ours has those itself."""


@pytest.mark.skipif(not SUITE, reason="TOMARIUM_PANOSC_SUITE names no checkout of panosc-eu/search-api")
@pytest.mark.skipif(shutil.which("node") is None, reason="no Node.js on this machine")
def test_the_suite_of_the_reference_passes(tmp_path: Path, shared: Callable[[str], Path]) -> None:
    from portal.cutting_portal import served

    for name, text in (("shim", SHIM), ("sinon", SINON), ("portal", "module.exports = process.env.PORTAL;")):
        (tmp_path / f"{name}.cjs").write_text(text)
    tests = [Path(SUITE) / "test" / f"{name}.test.js" for name in TESTS]
    with open_catalogue(tmp_path / "catalogue.sqlite") as catalogue:
        harvest_file(catalogue, shared("catalogue/panosc/db.json"), title="Reference")
        with served(catalogue) as (address, _):
            told = {f"{name}_FILE": str(tmp_path / f"{name.lower()}.cjs") for name in ("PORTAL", "SINON")}
            told["PORTAL"] = f"{address}/panosc"
            mocha = Path(SUITE) / "node_modules" / ".bin" / "mocha"
            command = ["node", mocha, "--require", tmp_path / "shim.cjs", "--exit", "--timeout", "20000"]
            done = subprocess.run(
                [*command, "--reporter", "json", *tests],
                cwd=SUITE, env=os.environ | told, capture_output=True, text=True, timeout=1200, check=False,
            )  # fmt: skip
    assert "{" in done.stdout, f"mocha told nothing: {done.stderr[-1000:]}"
    report = json.loads(done.stdout[done.stdout.index("{") :])
    assert [(one["fullTitle"], one["err"].get("message")) for one in report["failures"]] == []
    assert report["stats"]["passes"] >= sum(TESTS.values())
