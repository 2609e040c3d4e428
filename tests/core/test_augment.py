import torch

from napari_spineseg.core import augment
from napari_spineseg.core.augment import AugmentSettings


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_sampling_without_any_motion_reads_the_source():
    source = torch.rand(2, 21, 31, generator=seeded())
    offsets = torch.stack(
        torch.meshgrid(torch.arange(-3.0, 4), torch.arange(-4.0, 5), indexing="ij")[::-1], -1
    )
    crop = augment.sample(source, (10, 15), offsets, "bilinear")
    assert torch.allclose(crop, source[:, 7:14, 11:20], atol=1e-5)


def test_a_grid_is_centred_and_stays_within_reach():
    offsets = augment.draw_grid(64, (32, 24), 0.5, AugmentSettings(warp_mm=0), seeded())
    assert offsets.shape == (64, 32, 24, 2)
    assert offsets.mean((1, 2)).abs().max() < 1e-3
    assert offsets.abs().max() < 1.6 * 16


def test_labels_outside_the_source_are_background():
    offsets = torch.full((3, 3, 2), 100.0)
    assert augment.sample(torch.ones(1, 5, 5), (2, 2), offsets, "nearest").sum() == 0


def test_a_slip_moves_what_lies_below_a_line_and_keeps_each_side_as_it_is():
    still = AugmentSettings(rotation_deg=0, scale=1, shear=0, warp_mm=0, slip_mm=8)
    stretch = augment.draw_grid(32, (64, 48), 0.5, still.model_copy(update={"slip_mm": 0.0}), seeded(3))
    moved = augment.draw_grid(32, (64, 48), 0.5, still, seeded(3)) - stretch
    across = moved[..., 0]
    assert moved[..., 1].abs().max() == 0
    slipped = across.abs().amax((1, 2)) > 1
    assert 6 <= int(slipped.sum()) <= 26 and across.abs().max() <= 16
    # One step a sample: rows far from it lie still against each other.
    assert (across.diff(dim=1)[:, :, 24].abs().gt(0.05).sum(1) < 30).all()


def test_a_crushed_stretch_is_shorter_by_what_was_asked_at_most():
    still = AugmentSettings(rotation_deg=0, scale=1, shear=0, warp_mm=0, crush=0.4)
    plain = augment.draw_grid(32, (256, 16), 0.5, still.model_copy(update={"crush": 0.0}), seeded(5))
    grid = augment.draw_grid(32, (256, 16), 0.5, still, seeded(5))
    steps = grid[..., 8, 1].diff(dim=1) / plain[..., 8, 1].diff(dim=1)
    assert steps.min() > 0.999 and 1.2 < steps.max() <= 1 / (1 - 0.4) + 0.05


def test_a_bend_turns_rows_and_leaves_them_straight():
    sheet = augment._bent(torch.arange(-99.5, 100), torch.arange(-59.5, 60), *torch.tensor([[25.0], [-10.0]]))
    across = sheet.diff(dim=2)
    assert torch.allclose(across, across[:, :, :1].expand_as(across), atol=1e-4)
    assert torch.allclose(across.norm(dim=-1), torch.ones(()), atol=1e-4)
    turn = torch.rad2deg(torch.atan2(across[0, :, 0, 1], across[0, :, 0, 0]))
    # At the ends the curve in full, and two thirds of half the sway besides; no turn on the whole.
    assert abs(float(turn[-1]) - (25 - 10 / 3)) < 0.1 and abs(float(turn[0]) - (-25 - 10 / 3)) < 0.1
    assert abs(float(turn.mean())) < 0.1


def test_a_bend_keeps_the_length_of_the_middle_and_its_rows_upright_on_it():
    sheet = augment._bent(torch.arange(-99.5, 100), torch.arange(-60.0, 61), *torch.tensor([[-20.0], [15.0]]))
    line = sheet[:, :, 60]
    assert torch.allclose(line.diff(dim=1).norm(dim=-1), torch.ones(()), atol=1e-3)
    upright = (line.diff(dim=1)[:, 1:] * sheet.diff(dim=2)[:, 1:-1, 60]).sum(-1)
    assert float(upright.abs().max()) < 0.01
    assert float(line.mean(1).abs().max()) < 1e-3


def test_every_sample_is_bent_and_none_leaves_the_image():
    straight = AugmentSettings(rotation_deg=0, scale=1, shear=0, warp_mm=0)
    bent = straight.model_copy(update={"bend_deg": 20.0})
    grids = [augment.draw_grid(8, (64, 48), 0.5, settings, seeded(2)) for settings in (straight, bent)]
    moved = (grids[1] - grids[0]).abs().amax((1, 2, 3))
    assert (moved > 0.5).all() and moved.max() < 20
