"""The main job, with a model of a few hundred untrained parameters."""

import json
import time

import numpy as np
import pytest

from napari_spineseg import segment as job
from napari_spineseg.anatomy import levels_to_structures
from napari_spineseg.errors import ModelError, ScanError, Stopped
from napari_spineseg.progress import Control
from napari_spineseg.scan import Scan
from napari_spineseg.segment import SegmentSettings, preview_slice, segment


@pytest.fixture(autouse=True)
def _tiny_model(tiny_home, monkeypatch):
    monkeypatch.setenv("SPINESEG_HOME", str(tiny_home))


@pytest.fixture
def settings():
    return SegmentSettings(model="tiny", device="cpu")


def test_labels_fit_the_scan(small_scan, settings):
    result = segment(small_scan, settings)
    assert result.segmentation.labels.dtype == np.uint16
    assert result.segmentation.grid.same_place_as(small_scan.grid)
    assert result.uncertainty is None


def test_structures_are_those_of_the_levels(small_scan, settings):
    levels = segment(small_scan, settings).segmentation
    structures = segment(small_scan, settings.model_copy(update={"scheme": "structures"})).segmentation
    assert (levels.scheme, structures.scheme) == ("levels", "structures")
    np.testing.assert_array_equal(structures.labels, levels_to_structures(levels.labels))


def test_provenance_is_strict_json(small_scan, settings):
    provenance = segment(small_scan, settings).segmentation.provenance
    assert json.loads(json.dumps(provenance, allow_nan=False)) == provenance
    assert provenance["settings"] == settings.model_dump()


def test_uncertainty_on_demand(small_scan, settings):
    uncertainty = segment(small_scan, settings.model_copy(update={"uncertainty": True})).uncertainty
    assert uncertainty.shape == small_scan.voxels.shape
    assert np.isfinite(uncertainty).all()


def test_progress_is_told_and_stop_is_obeyed(small_scan, settings):
    seen = []
    segment(small_scan, settings, Control(seen.append))
    assert seen[-1].fraction == 1.0
    with pytest.raises(Stopped):
        segment(small_scan, settings, Control(should_stop=lambda: True))


def test_a_preview_is_one_sagittal_slice(small_scan, settings):
    assert preview_slice(small_scan, settings, 2).shape == small_scan.sagittal().shape[1:]


def test_an_unknown_model_is_refused(small_scan):
    with pytest.raises(ModelError, match="nobody"):
        segment(small_scan, SegmentSettings(model="nobody"))


def test_a_ragged_result_does_not_take_for_ever():
    """A model that makes nonsense of a scan leaves tens of thousands of specks and holes."""
    from napari_spineseg.instances import label_levels

    noise = np.random.default_rng(0).integers(0, 4, (4, 256, 256)).astype(np.uint8)
    started = time.process_time()
    label_levels(noise, (4.0, 1.0, 1.0))
    assert time.process_time() - started < 20


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 40, 40), (40, 40, 1), (40, 1, 40), (2, 3, 90)])
def test_scans_of_any_shape_are_segmented(shape, settings):
    voxels = np.random.default_rng(0).integers(0, 1000, shape).astype(np.int16)
    assert segment(Scan(voxels, np.eye(4)), settings).segmentation.labels.shape == shape


def test_an_impossible_spacing_is_refused(small_scan, settings):
    scan = Scan(small_scan.voxels, np.diag([1000.0, 1000.0, 4000.0, 1.0]), name="microns")
    with pytest.raises(ScanError, match=r"microns: by its spacing this scan is 32\.0 m long"):
        segment(scan, settings)


def test_an_empty_result_has_one_warning(small_scan, settings):
    blank = small_scan.with_voxels(np.zeros_like(small_scan.voxels))
    (warning,) = segment(blank, settings).segmentation.warnings
    assert "No spine" in warning


def test_what_the_geometry_tells_is_said_before_the_network_looks(small_scan, settings, monkeypatch):
    said, looked = [], []
    look = job._look
    monkeypatch.setattr(job, "_look", lambda *rest: looked.append(list(said)) or look(*rest))
    across = np.diag([1.0, 1.0, 4.0, 1.0])
    scan = Scan(np.random.default_rng(0).random((60, 60, 8)), across, warnings=("From reading it.",))
    result = segment(scan, settings, Control(on_warning=said.append))
    (before,) = looked
    assert before == ["From reading it.", said[1]] and "axial slices 4.0 mm apart" in said[1]
    assert [w for w in result.segmentation.warnings if "sagittal ones" in w] == [said[1]]
