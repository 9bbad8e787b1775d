"""The page on pages of other packages: what it says is done."""

import re
import tomllib
from pathlib import Path

from warm import Warm

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "how-to" / "add-a-page.md"
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S)
TOML, MODULE, TEMPLATE = (text for _, text in BLOCKS)


def test_the_page_is_done_and_the_contract_suite_takes_it(tmp_path: Path, warm: Warm) -> None:
    project = tomllib.loads(TOML)["project"]
    about = tmp_path / "voxel_page-0.1.0.dist-info"
    about.mkdir()
    (tmp_path / "voxel_page" / "templates").mkdir(parents=True)
    (tmp_path / "voxel_page" / "__init__.py").write_text(MODULE)
    (tmp_path / "voxel_page" / "templates" / "voxels.html").write_text(TEMPLATE)
    (about / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    [(name, place)] = project["entry-points"]["tomarium.portal.pages"].items()
    (about / "entry_points.txt").write_text(f"[tomarium.portal.pages]\n{name} = {place}\n")
    told = warm.pytest(ROOT, "tests/contracts/test_pages.py", "-k", "voxels", site=tmp_path)
    assert told.returncode == 0, told.output
    assert int(re.search(r"(\d+) passed", told.output)[1]) >= 3  # type: ignore[index]
