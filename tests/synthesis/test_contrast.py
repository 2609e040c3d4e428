import pytest
import torch

from napari_spineseg.synthesis.contrast import LOOKS, degenerate, draw_look, render, shift_fat
from napari_spineseg.synthesis.tissues import Tissue


def greys(name: str, *tissues: Tissue) -> list[float]:
    looks = [draw_look(torch.Generator().manual_seed(seed), name).grey for seed in range(40)]
    return [float(torch.stack(looks).mean(0)[t]) for t in tissues]


def test_sequences_look_as_they_should():
    csf, fat, marrow = greys("T2", Tissue.CSF, Tissue.SUBCUTANEOUS_FAT, Tissue.MARROW)
    assert csf > fat > marrow
    csf, fat, muscle = greys("T1", Tissue.CSF, Tissue.SUBCUTANEOUS_FAT, Tissue.MUSCLE)
    assert fat > muscle > csf
    csf, fat, marrow = greys("STIR", Tissue.CSF, Tissue.SUBCUTANEOUS_FAT, Tissue.MARROW)
    assert csf > 3 * fat and csf > 3 * marrow


@pytest.mark.parametrize("name", LOOKS)
def test_every_look_renders_finite_and_deterministic(name):
    tissues = torch.randint(0, len(Tissue), (2, 20, 16), generator=torch.Generator().manual_seed(1))
    images = []
    for _ in range(2):
        generator = torch.Generator().manual_seed(7)
        images.append(render(tissues, draw_look(generator, name), 0.5, generator))
    assert images[0].shape == (2, 20, 16) and torch.isfinite(images[0]).all()
    assert torch.equal(*images)


def test_air_stays_dark():
    generator = torch.Generator().manual_seed(0)
    image = render(torch.zeros(1, 8, 8, dtype=torch.uint8), draw_look(generator), 0.5, generator)
    assert image.abs().max() < 0.05


def test_a_degenerate_disc_is_as_dark_as_its_endplates():
    generator = torch.Generator().manual_seed(0)
    look = draw_look(generator, "T2")
    changed = degenerate(look, generator)
    cortex = float(look.grey[Tissue.CORTEX])
    for tissue in (Tissue.NUCLEUS, Tissue.ANNULUS):
        assert cortex <= float(changed.grey[tissue]) <= 1.6 * cortex + 0.02 < float(look.grey[Tissue.NUCLEUS])
    assert changed.grey[Tissue.CSF] == look.grey[Tissue.CSF]


def test_chemical_shift_moves_fat_and_nothing_else():
    tissues = torch.full((1, 20, 20), int(Tissue.MUSCLE), dtype=torch.uint8)
    tissues[:, 8:12, 8:12] = Tissue.SUBCUTANEOUS_FAT
    look = draw_look(torch.Generator().manual_seed(0), "T1")
    image = look.grey[tissues.long()]
    moved = {
        seed: shift_fat(image, tissues, look, 3, torch.Generator().manual_seed(seed)) for seed in range(12)
    }
    assert all(torch.isclose(m.sum(), image.sum()) for m in moved.values())
    assert any(not torch.equal(m, image) for m in moved.values())
    fat, muscle = float(look.grey[Tissue.SUBCUTANEOUS_FAT]), float(look.grey[Tissue.MUSCLE])
    for m in moved.values():
        assert (
            torch.isclose(m, torch.tensor([0.0, fat, muscle, fat + muscle])[:, None, None, None]).any(0).all()
        )
    stir = draw_look(torch.Generator().manual_seed(0), "STIR")
    assert torch.equal(shift_fat(image, tissues, stir, 3, torch.Generator().manual_seed(1)), image)
