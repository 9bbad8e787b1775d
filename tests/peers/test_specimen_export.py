"""A specimen for other programs, judged by the schemas of these: OME-Zarr 0.6 (RFC-5) and MoBIE."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from placed_volumes import ADA, file_volumes
from tomarium.catalogue import open_catalogue
from tomarium.catalogue.specimen_export import Gathered, export_mobie, export_ome_zarr, gather


@pytest.fixture(scope="module")
def gathered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gathered]:
    home = tmp_path_factory.mktemp("volumes")
    with open_catalogue(home / "catalogue.sqlite") as opened:
        file_volumes(opened, home)
        with opened.reading() as connection:
            yield gather(connection, ADA, "rum-8")


def refused(schema: str, attributes: dict[str, Any]) -> list[str]:
    """Tell what the schemas of OME-Zarr 0.6, as ngff-zarr ships them, find wrong."""
    ngff_zarr = pytest.importorskip("ngff_zarr")
    jsonschema = pytest.importorskip("jsonschema")
    referencing = pytest.importorskip("referencing")
    folder = Path(ngff_zarr.__file__).parent / "spec" / "0.6" / "schemas"
    schemas = {one.name: json.loads(one.read_text()) for one in folder.glob("*.schema")}
    known = [(one["$id"], referencing.Resource.from_contents(one)) for one in schemas.values()]
    registry = referencing.Registry().with_resources(known)
    judge = jsonschema.Draft202012Validator(schemas[schema], registry=registry)
    return [one.message for one in judge.iter_errors(attributes)]


def test_ome_zarr_with_matrices_holds_to_the_schemas(gathered: Gathered, tmp_path: Path) -> None:
    export_ome_zarr(gathered, tmp_path / "out.zarr", with_matrices=True)

    def attributes(place: str) -> Any:
        return json.loads((tmp_path / "out.zarr" / place / "zarr.json").read_text())["attributes"]

    scene = attributes("")
    assert refused("scene.schema", scene) == []
    for id in ("block", "core", "cut"):
        assert refused("image.schema", attributes(id)) == []
    wrong = copy.deepcopy(scene)
    wrong["ome"]["scene"]["coordinateTransformations"][0]["type"] = "bent"
    assert refused("scene.schema", wrong)


def test_a_project_of_mobie_holds_to_its_schemas(gathered: Gathered, tmp_path: Path) -> None:
    generated = pytest.importorskip("mobiedantic.generated")
    export_mobie(gathered, tmp_path / "mobie")
    generated.Project.model_validate_json((tmp_path / "mobie" / "project.json").read_text())
    told = json.loads((tmp_path / "mobie" / "rum-8" / "dataset.json").read_text())
    generated.Dataset.model_validate(told)
    view = next(iter(told["views"].values()))
    view["sourceTransforms"][0]["affine"]["parameters"] = [1.0, 2.0]
    with pytest.raises(ValueError, match="parameters"):
        generated.Dataset.model_validate(told)
