import pytest
import torch
from torch.nn import functional

from napari_spineseg.anatomy import Structure
from napari_spineseg.synthesis import degeneration
from napari_spineseg.synthesis.degeneration import change_endplates, darken_discs, narrow_canal

BODY, DISC, ENDPLATE, FLUID, MUSCLE = 0.5, 0.6, 0.1, 0.95, 0.2
WEAR = (darken_discs, narrow_canal, change_endplates)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def spine():
    """Image and structures of two bodies, the disc between them, endplates of 2 mm, a canal behind."""
    structures = torch.zeros(3, 160, 120)
    structures[:, 20:70, 20:70] = Structure.VERTEBRA
    structures[:, 74:90, 20:70] = Structure.DISC
    structures[:, 94:144, 20:70] = Structure.VERTEBRA
    structures[:, :, 80:100] = Structure.CANAL
    grey = torch.tensor([MUSCLE, BODY, DISC, FLUID])
    image = grey[structures.long()]
    image[:, 70:74, 20:70] = image[:, 90:94, 20:70] = ENDPLATE
    return image, structures


@pytest.mark.parametrize("wear", WEAR)
def test_wear_is_deterministic_and_leaves_its_input_alone(wear, spine):
    image, structures = spine
    before = image.clone()
    first, again = (wear(image, structures, seeded(3)) for _ in range(2))
    assert torch.equal(first, again) and torch.equal(image, before)
    assert not torch.allclose(first, image) and first.min() >= 0


@pytest.mark.parametrize("wear", WEAR)
def test_what_is_not_there_does_not_wear(wear, spine):
    image, _ = spine
    assert torch.equal(wear(image, torch.zeros_like(image), seeded()), image)


def test_a_dark_disc_is_hardly_told_from_its_endplates(spine):
    image, structures = spine
    for seed in range(6):
        worn = darken_discs(image, structures, seeded(seed))
        left = (worn[:, 76:88, 30:60].mean() - worn[:, 71:73, 30:60].mean()).abs()
        assert left < 0.45 * (DISC - ENDPLATE)
        assert worn[:, 76:88, 30:60].max() < 0.7 * BODY
        assert torch.equal(worn[:, 30:60], image[:, 30:60])


def test_a_narrow_canal_has_lost_fluid_in_stretches_and_nothing_else_has_changed(spine):
    image, structures = spine
    lost = []
    for seed in range(6):
        worn = narrow_canal(image, structures, seeded(seed))
        lost.append(float((worn[1, :, 90] < 0.6).float().mean()))
        assert torch.equal(worn[:, :, :74], image[:, :, :74])
    assert min(lost) > 0.1 and min(lost) < 0.8


def test_endplate_change_stays_in_marrow_beside_the_disc(spine):
    image, structures = spine
    for seed in range(6):
        worn = change_endplates(image, structures, seeded(seed))
        changed = (worn - image).abs() > 1e-3
        assert changed.any() and not changed[:, :40].any() and not changed[:, 120:].any()
        assert changed[structures == Structure.VERTEBRA].sum() > 0.6 * changed.sum()


@pytest.mark.parametrize("reach", [(5, 0), (8, 8), (1, 1), (0, 3), (0, 0)])
def test_widening_is_a_maximum_over_the_reach(reach):
    mask = torch.rand(2, 40, 37, generator=seeded()) > 0.97
    size = tuple(2 * r + 1 for r in reach)
    expected = functional.max_pool2d(mask.float()[None], size, stride=1, padding=reach)[0] > 0
    assert torch.equal(degeneration._widened(mask, reach), expected)
