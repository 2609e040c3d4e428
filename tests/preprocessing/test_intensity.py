"""Steps that change grey values: what they promise, against independent implementations."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.restoration import denoise_tv_chambolle

from napari_spineseg.errors import SettingsError, Stopped
from napari_spineseg.preprocessing import STEPS, GeometricStep, Tools, make_step, name_of
from napari_spineseg.preprocessing.chambolle import flatten
from napari_spineseg.preprocessing.statistics import noise
from napari_spineseg.progress import Control
from napari_spineseg.scan import Scan

INTENSITY = [name_of(kind) for kind in STEPS if not issubclass(kind, GeometricStep)]


def brighter(scan: Scan) -> Tools:
    return Tools(open_scan=lambda name: scan.with_voxels(scan.voxels.astype(np.float32) * 3 + 50))


@pytest.mark.parametrize("name", INTENSITY)
def test_geometry_and_the_scan_itself_stay(name, tissue_scan):
    before = tissue_scan.voxels.copy()
    after = make_step(name, {})(tissue_scan, brighter(tissue_scan))
    assert after.grid.same_place_as(tissue_scan.grid)
    assert np.array_equal(tissue_scan.voxels, before)
    assert np.isfinite(after.voxels).all()
    assert not np.array_equal(after.voxels, before)
    assert after.history[-1]["step"] == name


@pytest.mark.parametrize("name", INTENSITY)
@pytest.mark.parametrize("value", [0, 7])
def test_a_constant_scan_does_no_harm(name, value, tissue_scan):
    flat = tissue_scan.with_voxels(np.full((4, 20, 20), value, np.int16))
    after = make_step(name, {})(flat, Tools(open_scan=lambda _: flat))
    assert np.isfinite(after.voxels).all()
    assert after.voxels.min() == after.voxels.max()


@pytest.mark.parametrize("name", [name_of(k) for k in STEPS if k.slicewise])
def test_slicewise_steps_need_no_other_slice(name, tissue_scan):
    """What the live preview relies on."""
    step = make_step(name, {})
    measured = step.measure(tissue_scan, brighter(tissue_scan), Control())
    whole = step.change(tissue_scan, measured, Control()).sagittal()[4]
    turn = tissue_scan.grid.to_orientation()
    alone = Scan(np.ascontiguousarray(tissue_scan.sagittal()[4:5]), turn.grid.affine)
    assert np.array_equal(step.change(alone, measured, Control()).voxels[0], whole)


def test_clip_limits_to_percentiles_and_keeps_the_dtype(tissue_scan):
    after = make_step("clip", {"lower_percent": 5, "upper_percent": 90})(tissue_scan)
    values = tissue_scan.voxels[tissue_scan.voxels > tissue_scan.voxels.min()]
    assert after.voxels.dtype == tissue_scan.voxels.dtype
    assert after.voxels.max() == pytest.approx(np.percentile(values, 90), abs=6)
    assert after.voxels.min() == pytest.approx(np.percentile(values, 5), abs=6)


def test_clip_the_wrong_way_round_is_refused():
    with pytest.raises(SettingsError, match="below"):
        make_step("clip", {"lower_percent": 50, "upper_percent": 50})


def test_zscore(tissue_scan):
    after = make_step("zscore", {})(tissue_scan).voxels
    inside = after[tissue_scan.voxels > tissue_scan.voxels.min()]
    assert inside.mean() == pytest.approx(0, abs=0.02)
    assert inside.std() == pytest.approx(1, abs=0.02)


def test_match_takes_the_reference_distribution(tissue_scan):
    reference = brighter(tissue_scan).open_scan("")
    after = make_step("match", {"reference": "x"})(tissue_scan, brighter(tissue_scan)).voxels
    for percent in (10, 50, 90):
        assert np.percentile(after, percent) == pytest.approx(
            np.percentile(reference.voxels, percent), rel=0.03
        )


def test_noise_is_measured(tissue_scan):
    assert noise(tissue_scan) == pytest.approx(12, rel=0.2)


@pytest.mark.parametrize("name", ["nlm", "tv"])
def test_denoising_takes_noise_and_leaves_edges(name, tissue_scan):
    clean = np.where(tissue_scan.voxels > 250, np.where(tissue_scan.voxels > 400, 500, 300), 20)
    body = clean > 20
    after = make_step(name, {})(tissue_scan).voxels
    left = np.abs(after - clean)[body].mean() / np.abs(tissue_scan.voxels - clean)[body].mean()
    assert left < 0.75
    assert abs(after[body].mean() - tissue_scan.voxels[body].mean()) < 5


def test_chambolle_is_scikit_images():
    rng = np.random.default_rng(0)
    slice_ = (rng.random((40, 30)) * 100).astype(np.float32)
    ours = flatten(slice_, 12.0, 20)
    theirs = denoise_tv_chambolle(slice_.astype(float), weight=12.0, eps=0, max_num_iter=21)
    assert np.abs(ours - theirs).max() < 1e-2


def test_clahe_brings_out_what_is_faint(tissue_scan):
    faint = tissue_scan.voxels.astype(np.float32)
    faint[:, :, :20] *= 0.2
    after = make_step("clahe", {"limit_percent": 5})(tissue_scan.with_voxels(faint)).voxels
    view = (slice(None), slice(18, 30), slice(8, 18))
    spread = lambda v: v[view].std() / (v.max() - v.min())  # noqa: E731
    assert spread(after) > 1.3 * spread(faint)
    assert after.min() >= 0 and after.max() <= 1


@pytest.mark.parametrize("name", ["nlm", "tv", "n4", "clahe"])
def test_a_stop_is_heard(name, tissue_scan):
    heard = []

    def stop() -> bool:
        heard.append(1)
        return len(heard) > 2

    with pytest.raises(Stopped):
        make_step(name, {})(tissue_scan, control=Control(should_stop=stop))
