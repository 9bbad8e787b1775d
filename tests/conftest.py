"""Fixtures every test may use, and how tests that run side by side share the processors."""

import gc
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from _pytest.runner import runtestprotocol

if "PYTEST_XDIST_WORKER" in os.environ:  # before any library that reads them is imported
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # a thread that waits leaves its processor to others
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import chromium
from postgresql_server import Databases, Files, NoServer, Server
from slurm_server import NoSlurm, Slurm
from tomarium.catalogue import child_reader
from warm import Warm

gc.disable()  # until all is imported and collected: nothing of it can be freed

# A test that shares its processor may wait long for it; whether it is quick is for the benchmarks to say.
hypothesis.settings.register_profile(
    "unhurried", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("unhurried")
# So may the processes that read files for pages.
child_reader.LONGEST_S = child_reader.START_S = 600.0  # type: ignore[misc]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more than this process may use processors, for a fifth of the time tests wait for a browser or a process."""
    from tomarium.array import processors

    return processors() + 1


SLOW = (
    "beamtime/test_batch", "beamtime/test_rehearsal", "beamtime/test_report", "beamtime/test_scan_warnings",
    "beamtime/test_watch", "browser/", "catalogue/test_account_links", "catalogue/test_backup",
    "catalogue/test_catalogue", "catalogue/test_child_reader", "catalogue/test_copy_parameters",
    "catalogue/test_dois", "catalogue/test_dump", "catalogue/test_edit_table", "catalogue/test_entities",
    "catalogue/test_facets", "catalogue/test_file_table", "catalogue/test_filing", "catalogue/test_fixity",
    "catalogue/test_fsck", "catalogue/test_harvested", "catalogue/test_life", "catalogue/test_links",
    "catalogue/test_log_book", "catalogue/test_mail", "catalogue/test_make_series", "catalogue/test_newsletter",
    "catalogue/test_number_columns",
    "catalogue/test_panosc_filters", "catalogue/test_parcels", "catalogue/test_postgresql",
    "catalogue/test_publications", "catalogue/test_rebuild", "catalogue/test_record_patches",
    "catalogue/test_record_pictures", "cli/",
    "contracts/test_formats", "contracts/test_negative_corpus", "contracts/test_pages", "contracts/test_standards",
    "contracts/test_steps", "conversion/", "cuda/", "datasets/", "docs/test_add_a_format", "docs/test_add_a_page",
    "docs/test_add_a_step", "docs/test_connect_images", "docs/test_gallery", "docs/test_import_pages",
    "docs/test_keep_a_logbook", "docs/test_machine_readable_doors", "docs/test_menu_picture", "docs/test_notebooks",
    "docs/test_tutorials", "doctor/test_checks", "doctor/test_damaged_files", "doctor/test_real_files", "ewoks/",
    "executors/", "faults/", "formats/test_bliss", "formats/test_data_exchange_tables", "formats/test_edf",
    "formats/test_half_written", "formats/test_hdf5_chunks", "formats/test_hostile", "formats/test_lost_parts",
    "formats/test_names_not_utf8", "formats/test_nxtomo_flips", "formats/test_ome_zarr_packing",
    "formats/test_pyhst_par", "formats/test_real_files", "formats/test_tiff_volume", "formats/test_trust",
    "formats/test_txrm", "fuzz/", "house/test_import_circles", "importers/test_bring_in", "kernels/axis/",
    "kernels/test_edge_width", "kernels/test_engines", "kernels/test_fbp", "kernels/test_half_acquisition",
    "kernels/test_iterative", "kernels/test_ordered_subsets", "kernels/test_peaks", "kernels/test_ring_correlation",
    "kernels/test_spikes", "kernels/test_stripe_selection", "kernels/test_stripes", "kernels/test_truncation",
    "live/", "mesh/test_meshes", "mesh/test_prints", "pipeline/test_again", "pipeline/test_align_slices",
    "pipeline/test_contract_cases", "pipeline/test_crop", "pipeline/test_data_check", "pipeline/test_material",
    "pipeline/test_run", "pipeline/test_slabs", "pipeline/test_spool", "pipeline/test_stitch_volumes",
    "portal/test_catalogue_files", "portal/test_changed_visibility", "portal/test_counting",
    "portal/test_description", "portal/test_files", "portal/test_harvest_oai", "portal/test_harvest_panosc",
    "portal/test_languages", "portal/test_messages", "portal/test_models", "portal/test_news_and_events",
    "portal/test_oai", "portal/test_object_store", "portal/test_panosc", "portal/test_pull",
    "portal/test_same_sample", "portal/test_script_in_texts", "portal/test_serve", "portal/test_server_asks_nobody",
    "portal/test_signposting", "portal/test_site", "portal/test_slow_clients", "portal/test_specimen_images",
    "portal/test_texts", "portal/test_uploads", "portal/test_visibility", "portal/test_work", "specimen/test_align",
    "specimen/test_fusion", "steps/test_align_by_reprojection", "steps/test_apply_shifts", "steps/test_auto_length",
    "steps/test_correct_roll", "steps/test_ctf", "steps/test_double_flat_field",
    "steps/test_double_flat_field_special", "steps/test_dynamic_flat_field", "steps/test_gather_helix",
    "steps/test_mercedes", "steps/test_mosaic", "steps/test_movement_correction", "steps/test_nonconstant_rings",
    "steps/test_remove_blocked_views", "steps/test_remove_spikes", "steps/test_stitch", "synth/test_scan",
    "test_from_scan_to_truth", "test_public_names",
)  # fmt: skip
"""Where tests take seconds: measured, file by file."""


ON_SQLITE_ALONE = (
    "test_what_can_be_repaired_is", "test_what_is_lost_is_told_with_what_to_do", "test_what_is_young_is_left_alone",
    "test_random_damage_is_found_wherever_it_is", "test_zero_days_reads_nothing", "test_other_damage_raises_alarms_too",
    "test_what_is_being_written_is_read_later", "test_all_are_read_in_so_many_days",
    "test_the_command_tells_repairs_and_leaves_with_its_code", "test_the_command_tells_reads_and_clears",
    "test_two_programs_may_make_it_at_once", "test_only_keepers_manage",
    *(f"test_{test}[postgresql-{name}]"
      for test in ("every_door_for_every_reader", "what_a_record_is_of_is_seen_with_it", "only_keepers_make_models",
                   "facilities_tell_of_no_hidden_record", "a_view_is_kept_for_those_who_may_open_it")
      for name in ("administrator", "curator", "member", "owner", "scientist", "scientist no more", "team", "visitor")),
    *(f"test_an_embargo_ends_at_its_second_at_every_door[postgresql-{name}"
      for name in ("member", "scientist-", "scientist no more", "scientist of another", "team", "visitor")),
    "test_two_programs_may_make_it_at_once", "test_only_keepers_manage", "test_no_door_reads_a_file_of_a_stranger",
    *(f"test_every_door_for_every_reader[postgresql-{name}]"
      for name in ("administrator", "curator", "owner", "scientist", "team", "visitor")),
    *(f"test_log_books_follow_the_files_and_whereabouts_their_keepers[postgresql-{name}]"
      for name in ("administrator", "curator", "member", "scientist", "scientist no more", "scientist of another",
                   "team", "visitor")),
    "catalogue/test_catalogue.py::TestLinks",
    *(f"catalogue/test_accounts.py::{name}" for name in (
        "test_names_are_checked", "test_any_text", "test_impossible_tokens", "test_unknown_name", "test_first_unknown",
        "test_hash_follows", "test_password_opens",
    )),
    *(f"catalogue/test_dump.py::{name}" for name in (
        "test_units_stand", "test_it_is_written", "test_the_command", "test_at_its_address",
    )),
    *(f"catalogue/test_mail.py::{name}" for name in (
        "test_a_bad_server", "test_what_is_refused", "test_a_mail_that", "test_mails_can", "test_no_mail_goes",
        "test_settings_are", "test_commands",
    )),
    "catalogue/test_entities.py::test_a_form_that_names_no_entry",
    "portal/test_oai.py::test_errors_are_those_of_the_protocol",
    *(f"portal/test_panosc.py::{name}" for name in ("test_the_guide", "test_the_page_of", "test_unknown_names")),
    *(f"catalogue/test_log_book.py::{name}" for name in (
        "test_only_pictures", "test_a_form_writes", "test_it_is_exported", "test_a_page_hears",
    )),
    *(f"catalogue/test_harvested.py::{name}" for name in (
        "test_a_listing_that", "test_another_title", "test_hostile_items", "test_keeping_again", "test_what_a_whole",
    )),
    "portal/test_panosc.py::test_what_is_no_filter", "portal/test_panosc.py::test_a_simple_regular",
    *(f"portal/test_uploads.py::{name}" for name in (
        "test_server_tells", "test_an_upload", "test_creation_with", "test_what_is_refused", "test_wrong_offset",
        "test_a_push_that", "test_a_portal_that", "test_titles_may", "test_what_the_form", "test_why_no_record",
    )),
    "portal/test_changed_visibility.py::test_nothing_given_before", "catalogue/test_backup.py::test_what_is_no_backup",
)  # fmt: skip
"""Tests of what is the same on every database and takes long: not repeated on PostgreSQL."""


AGAIN_AFTER_A_TIMEOUT = pytest.mark.flaky(reruns=1, only_rerun=["TimeoutError", "not so in [0-9.]+ s"])
"""A browser of three programs may starve on a busy machine: what ran out of time, and nothing else, is tried once more.

The summary tells each such test as RERUN; one that comes twice waits for the wrong thing, and is to be mended.
"""


LONGEST = (
    "beamtime/test_rehearsal", "browser/test_texts", "browser/test_upload", "browser/test_volume",
    "catalogue/test_postgresql", "cli/test_supervised", "docs/test_tutorials", "faults/", "live/test_torture",
    "test_public_names",
)  # fmt: skip
"""Where single tests take twenty seconds and more: begun last, one would keep all other workers waiting."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test as slow or fast, by the file it stands in; the longest come first."""
    home = Path(__file__).parent
    asked = [
        item
        for item in items
        if "[postgresql" not in item.nodeid or not any(name in item.nodeid for name in ON_SQLITE_ALONE)
    ]
    places = {
        item: item.path.relative_to(home).as_posix() if item.path.is_relative_to(home) else ""
        for item in asked
    }
    for item, place in places.items():
        item.add_marker("slow" if place.startswith(SLOW) else "fast")
        if "browser" in item.fixturenames:
            item.add_marker(AGAIN_AFTER_A_TIMEOUT)
    items[:] = sorted(asked, key=lambda item: not places[item].startswith(LONGEST))


def pytest_collection_finish() -> None:
    """Leave what collecting made, half a million objects that stay, out of every later search for garbage.

    Searches are rarer than Python's own: a tenth of the processor time of tests that ask a portal went into them.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 100)
    gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """End what the tests of a file share where an earlier one of it follows, which then finds all as at its beginning.

    A worker that takes tests from others twice may get the end of a file first and then what stands before it.
    """
    if nextitem is None or nextitem.path != item.path or item.get_closest_marker("flaky"):
        return None
    if (nextitem.location[1] or 0) >= (item.location[1] or 0):
        return None
    elsewhere = next((one for one in item.session.items if one.path != item.path), None)
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    runtestprotocol(item, nextitem=elsewhere)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


@pytest.fixture(scope="session")
def shared() -> Callable[[str], Path]:
    """Path of a real file of shared/data, or a skip that names it where the folder is absent."""

    def find(name: str) -> Path:
        home = os.environ.get("TOMARIUM_SHARED") or Path(__file__).parents[2] / "shared" / "data"
        path = Path(home) / name
        if not path.exists():
            pytest.skip(f"shared/data/{name} is absent")
        return path

    return find


FOR_COMMANDS = """
import alembic.command, tomarium.pipeline.run.runner, tomarium.portal.app
from tomarium import registry
from tomarium.portal.page import Page
from tomarium.steps.core.serialization import all_steps
all_steps(), registry.collect("portal.pages", Page)
all_steps.cache_clear()  # packages that a test installs have steps, too
"""
"""What many commands import beside the rest: the portal, all steps, the migrations of catalogues."""


@pytest.fixture(scope="session")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warm]:
    """Give a process in which everything is imported, one for all tests of a worker."""
    with Warm(tmp_path_factory.mktemp("warm"), first=FOR_COMMANDS) as warm:
        yield warm


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Give Chromium, one for all tests of a worker; skipped, by name, where there is none."""
    with chromium.started() as browser:
        yield browser


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """Give a PostgreSQL server, one for all tests of a worker; skip where none can be started."""
    server = Server()
    try:
        if "TOMARIUM_TESTS_DEMAND_POSTGRESQL" not in os.environ:
            pytest.importorskip("psycopg")
        try:
            server.start()
        except NoServer as problem:
            if "TOMARIUM_TESTS_DEMAND_POSTGRESQL" in os.environ:
                pytest.fail(f"no PostgreSQL server: {problem}")
            pytest.skip(f"no PostgreSQL server: {problem}")
        yield server
    finally:
        server.close()


@pytest.fixture(scope="session")
def slurm() -> Iterator[Slurm]:
    """Give a SLURM of one node, one for all tests of a worker; skip where none can be started."""
    slurm = Slurm()
    try:
        try:
            slurm.start()
        except NoSlurm as problem:
            pytest.skip(f"no SLURM: {problem}")
        yield slurm
    finally:
        slurm.close()


@pytest.fixture(scope="module", params=("sqlite", "postgresql"))
def place(request: pytest.FixtureRequest) -> Iterator[Files]:
    """Tell where a catalogue is kept that a test calls by a file's name, on one database and on the other."""
    if request.param == "sqlite":
        yield Files()
        return
    with pytest.MonkeyPatch.context() as patch:
        databases = Databases(request.getfixturevalue("server"), patch)
        yield databases
        databases.remove()


@pytest.fixture(scope="session")
def make_volume(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Write a small volume that looks like a tooth as OME-Zarr 0.5 with two levels; each is made once and copied."""
    home = tmp_path_factory.mktemp("volumes")

    def make(path: Path, size: int = 96, voxel_um: float | None = 0.65, seed: int = 1) -> Path:
        kept = home / f"{size}_{voxel_um}_{seed}"
        if not kept.exists():
            write(kept, size, voxel_um, seed)
        shutil.rmtree(path, ignore_errors=True)
        return Path(shutil.copytree(kept, path, copy_function=shutil.copyfile))

    def write(path: Path, size: int, voxel_um: float | None, seed: int) -> None:
        import numpy as np
        import zarr

        draw = np.random.default_rng(seed)
        z, y, x = np.mgrid[-1 : 1 : (size * 3 // 4) * 1j, -1 : 1 : size * 1j, -1 : 1 : size * 1j]
        radius = np.hypot(x + 0.08 * z, y * 1.15) / (0.82 - 0.18 * z - 0.06 * np.cos(3 * np.arctan2(y, x)))
        volume = np.select([radius < 0.22, radius < 0.78, radius < 1.0], [0.25, 1.0, 1.75], 0.05)
        for _ in range(12):  # bright inclusions and dark pores with sharp edges
            centre, grey = draw.uniform(-0.6, 0.6, 3), draw.choice([0.2, 2.2])
            volume[(z - centre[0]) ** 2 + (y - centre[1]) ** 2 + (x - centre[2]) ** 2 < 0.006] = grey
        volume[np.abs(y + 0.3 * x - 0.35) < 0.012] *= 0.5
        finest = (volume + draw.normal(0, 0.06, volume.shape)).astype(np.float32)
        coarse = finest.reshape(size * 3 // 8, 2, size // 2, 2, size // 2, 2).mean((1, 3, 5))
        root = zarr.open_group(path, mode="w", zarr_format=3)
        datasets = []
        for number, level in enumerate((finest, coarse)):
            array = root.create_array(
                str(number), shape=level.shape, chunks=(16, 32, 32), shards=(48, 96, 96), dtype=level.dtype
            )
            array[...] = level
            scale = [(voxel_um or 1.0) * 2**number] * 3
            datasets.append(
                {"path": str(number), "coordinateTransformations": [{"type": "scale", "scale": scale}]}
            )
        unit = {"unit": "micrometer"} if voxel_um else {}
        axes = [{"name": name, "type": "space", **unit} for name in "zyx"]
        root.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": datasets}]}

    return make


@pytest.fixture
def make_record_folder(make_volume: Callable[..., Path]) -> Callable[..., Path]:
    """Make what a finished reconstruction leaves behind, before it is filed."""

    def make(folder: Path, **volume: object) -> Path:
        make_volume(folder / "volume.ome.zarr", **volume)
        (folder / "protocol.yaml").write_text("steps:\n  - flat_field\n  - fbp: {filter: ramp}\n")
        (folder / "provenance.json").write_text(
            '{"versions": {"tomarium": "0.1.0"}, "source": {"path": "tooth.h5"}, "timings": {"read_s": 1.5},'
            ' "plan": {"stages": [{"steps": ["flat_field", "fbp"], "slab_rows": 16}]},'
            ' "started": "2026-11-20T21:00:00+00:00", "finished": "2026-11-20T21:04:10+00:00"}'
        )
        return folder

    return make


@pytest.fixture(scope="session", autouse=True)
def _home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep tests out of the catalogue of whoever runs them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOMARIUM_HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture(scope="session", autouse=True)
def _without_waiting_for_disks() -> Iterator[None]:
    """No machine loses its power within a test, and filing a record waits sixteen times until a disk has something.

    Programs that tests start wait as ever, those whose calls are made to fail among them.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


@pytest.fixture(scope="session", autouse=True)
def _filled_by_migrations(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Copy new catalogues in SQLite files from one that migrations filled: their result is the same each time."""
    module = sys.modules.get("tomarium.catalogue.catalogue")
    if module is None:
        yield
        return
    from tomarium.catalogue import Catalogue, sqlite

    migrate, like = module._migrate, tmp_path_factory.mktemp("migrated") / "catalogue.sqlite"

    def copy(catalogue: Catalogue, absent: str) -> None:
        path = catalogue.engine.url.database
        if catalogue.engine.dialect.name == "sqlite" and path and not Path(path).exists():
            if not like.exists():
                first = Catalogue(sqlite.connect(like), "first")
                migrate(first, "")
                first.close()
            shutil.copyfile(like, path)
        migrate(catalogue, absent)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_migrate", copy)
        yield
