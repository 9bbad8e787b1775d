"""Ask whether holes are known in what is installed: PyPI's advisories by pip-audit, npm's for the scripts of the pages.

Both need the net. Where it cannot be reached that is said, and nothing fails; a hole that is known ends with 1.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

HOME = Path(__file__).parents[1]
AWAY = (
    *("ConnectionError", "ConnectTimeout", "ReadTimeout", "Max retries", "ServiceError", "NameResolution"),
    *("HTTPError", "ENOTFOUND", "ECONNREFUSED", "EAI_AGAIN", "ETIMEDOUT", "ECONNRESET", "audit endpoint"),
)
"""Words of the two programs for a net that cannot be reached."""


def ask(what: str, command: list[str], folder: Path = HOME) -> bool:
    """Run a program that asks; return whether it found a hole."""
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    except (OSError, subprocess.TimeoutExpired) as problem:
        print(f"{what}: not asked ({problem})")
        return False
    said = (done.stdout + done.stderr).strip()
    if done.returncode == 0:
        print(f"{what}: no holes are known")
        return False
    if any(one in said for one in AWAY):
        print(f"{what}: not asked, the advisories cannot be reached ({said.splitlines()[-1][:160]})")
        return False
    print(f"{what}:\n{said}")
    return True


def main() -> int:
    """Ask for Python's packages and for those of npm."""
    found = False
    if find_spec("pip_audit"):
        command = [
            sys.executable,
            "-m",
            "pip_audit",
            "--local",
            "--skip-editable",
            "--progress-spinner",
            "off",
        ]
        found |= ask("Python packages", command)
    else:
        print("Python packages: not asked, pip-audit is not installed (pip install --group audit)")
    if npm := shutil.which("npm"):
        found |= ask("scripts of the pages", [npm, "audit", "--audit-level=moderate"], HOME / "web")
    else:
        print("scripts of the pages: not asked, there is no npm")
    return int(found)


if __name__ == "__main__":
    sys.exit(main())
