"""Build the documentation as a site; a broken link or a page that is fetched from another host fails.

Zensical, the successor of mkdocs-material, does the most of it. It names one script on another host, for the search of
pages that are opened from a folder; the copy in docs/style takes its place.
"""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

HOME = Path(__file__).parent
SHIM = "https://unpkg.com/iframe-worker/shim"
FONTS = HOME.parent / "src" / "tomarium" / "portal" / "static" / "fonts"


def build(config: Path) -> Path:
    """Build the site that a `zensical.toml` describes, and name its folder."""
    told = tomllib.loads(config.read_text(encoding="utf-8"))["project"]
    site = config.parent / told["site_dir"]
    shutil.rmtree(site, ignore_errors=True)
    subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--strict", "--clean", "-f", str(config)],
        check=True,
        cwd=config.parent,
    )
    shutil.copytree(FONTS, site / "style" / "fonts", dirs_exist_ok=True)
    for page in site.rglob("*.html"):
        up = "../" * len(page.relative_to(site).parent.parts)
        text = page.read_text(encoding="utf-8")
        page.write_text(text.replace(SHIM, f"{up}style/iframe-worker.js"), encoding="utf-8")
    return site


if __name__ == "__main__":
    try:
        print(build(HOME.parent / "zensical.toml") / "index.html")
    except subprocess.CalledProcessError as error:
        sys.exit(f"the site was not built: zensical ended with {error.returncode}, for the reasons above")
