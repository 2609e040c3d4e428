import pytest
import torch

from napari_spineseg.synthesis.contrast import LOOKS, draw_look, render
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
