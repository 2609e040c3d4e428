"""Sheets through a volume: where they run, and that image and labels are read from the same place."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_spineseg.core.augment import AugmentSettings
from napari_spineseg.datasets.crops import CropSampler, CropSettings
from napari_spineseg.datasets.planes import SheetSettings, View, draw_sheet, positions
from napari_spineseg.datasets.prepared import PreparedVolume

SIZE = (40, 30)
CENTRE = (19.5, 14.5)


def still_grid():
    """Offsets that read a volume of `SIZE` pixel by pixel."""
    rows, columns = torch.meshgrid(*(torch.arange(n) - (n - 1) / 2 for n in SIZE), indexing="ij")
    return torch.stack([columns, rows], -1)


@pytest.fixture
def ramp():
    """Each slice holds its own number, 20 apart."""
    return np.broadcast_to(20 * np.arange(9, dtype=np.uint8)[:, None, None], (9, *SIZE)).copy()


def view(at, slices=(4,)):
    return View(list(slices), CENTRE, still_grid(), at)


@given(
    st.integers(0, 10_000), st.floats(0, 20), st.floats(0, 20), st.floats(0, 30), st.sampled_from([0.5, 1.0])
)
def test_a_sheet_stays_within_its_reach_and_lies_on_its_slice_on_the_average(seed, lean, bow, turn, pixel):
    settings = SheetSettings(lean_mm=lean, bow_mm=bow, turn_deg=turn)
    sheet = draw_sheet(SIZE, pixel, settings, np.random.default_rng(seed))
    assert sheet.shape == SIZE and sheet.dtype == torch.float32
    widest = np.tan(np.radians(turn)) * pixel * SIZE[1] / 2
    assert sheet.abs().max() <= lean + bow + widest + 1e-3
    # A bow's mean over finitely many rows is nearly none.
    assert abs(float(sheet.mean())) <= 0.1 * bow + 1e-3


def test_a_turn_is_around_the_long_axis_of_the_body():
    settings = SheetSettings(lean_mm=0, bow_mm=0, turn_deg=10)
    sheet = draw_sheet(SIZE, 0.5, settings, np.random.default_rng(1))
    slope = sheet.diff(dim=1)
    assert torch.allclose(slope, slope[0, 0].expand_as(slope), atol=1e-5) and slope[0, 0].abs() > 0
    assert torch.equal(sheet[0], sheet[-1])


def test_a_sheet_follows_the_outermost_slice_where_it_would_leave():
    at = positions([1, 4, 7], 9, torch.full(SIZE, 3.0))
    assert at.shape == (3, *SIZE)
    assert at[:, 0, 0].tolist() == [4.0, 7.0, 8.0]


@pytest.mark.parametrize("thickness", [0, 1, 2])
def test_greys_and_labels_are_read_where_the_sheet_runs(ramp, thickness):
    at = torch.linspace(2.25, 5.75, SIZE[0])[None, :, None].expand(1, *SIZE)
    grey = view(at).grey(ramp, thickness)
    assert torch.allclose(grey, at * 20 / 255, atol=1e-5)
    assert torch.equal(view(at).labels(ramp // 20), at.round())


def test_thick_slices_at_the_border_repeat_the_outermost(ramp):
    at = torch.zeros(1, *SIZE)
    assert torch.allclose(view(at).grey(ramp, 1), torch.full((1, *SIZE), (0 + 0 + 20) / 3 / 255), atol=1e-6)


def test_a_flat_sheet_is_a_slice(ramp):
    rng = np.random.default_rng(0)
    volume = rng.integers(0, 256, ramp.shape, dtype=np.uint8)
    flat, slices = torch.full((1, *SIZE), 4.0), [4]
    for thickness in (0, 1):
        sheet = view(flat).grey(volume, thickness)
        assert torch.allclose(sheet, view(None, slices).grey(volume, thickness), atol=1e-5)
    assert torch.equal(view(flat).labels(volume), view(None, slices).labels(volume))


def test_both_sides_are_painted_and_mixed_by_how_near_they_are(ramp):
    at = torch.full((2, *SIZE), 3.25)
    tissues = view(at, (3, 4)).painted_from(ramp)
    assert tissues.shape == (4, *SIZE)
    assert torch.allclose(view(at, (3, 4)).mixed(tissues), torch.full((2, *SIZE), 65.0))


def test_along_sheets_the_target_follows_the_image():
    """The bright half of the volume is the labelled half, and a sheet passes from one to the other."""
    structures = np.zeros((12, 160, 140), np.uint8)
    structures[6:] = 1
    volume = PreparedVolume("a", "1", "image", 200 * structures, structures, 1.6, 0.5)
    plain = AugmentSettings(remap_share=0, noise=0, bias=0, blur_share=0, rotation_deg=0, scale=1, shear=0)
    settings = CropSettings(
        height_px=64,
        width_px=48,
        inside=True,
        synthetic_share=0,
        alone_share=0,
        sheet=SheetSettings(share=1, lean_mm=30, bow_mm=0, turn_deg=0),
        augment=plain,
    )
    batch = CropSampler([volume], settings, 0).batch(0, 24)
    crossing = 0
    # Where the edge of a crop is warped out of the volume, labels are 0 and greys go on.
    middle = (slice(None), slice(16, 48), slice(12, 36))
    for image, target in zip(batch.image[:, 1][middle], batch.target[middle], strict=True):
        if target.unique().numel() == 2:
            crossing += 1
            assert image[target == 1].min() > image[target == 0].max() - 1e-4
    assert crossing >= 6


def test_samples_along_sheets_depend_on_seed_and_step_alone():
    rng = np.random.default_rng(0)
    structures = rng.integers(0, 4, (6, 96, 80), dtype=np.uint8)
    volumes = [
        PreparedVolume("a", "1", "image", 60 * structures, structures, 0.9, 0.5),
        PreparedVolume("b", "2", "tissues", structures, structures, 4.0, 0.5),
    ]
    settings = CropSettings(height_px=64, width_px=48, sheet=SheetSettings(share=1))
    first, again = (CropSampler(volumes, settings, 3) for _ in range(2))
    first.batch(0, 2)
    assert torch.equal(first.batch(5, 4).image, again.batch(5, 4).image)
    assert torch.isfinite(first.batch(5, 4).image).all()
