import torch

from napari_spineseg.core import appearance
from napari_spineseg.core.augment import AugmentSettings


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_remapping_keeps_each_structure_apart_but_smooth():
    structures = torch.zeros(1, 40, 40)
    structures[:, :, 20:] = 1
    image = torch.full((1, 40, 40), 0.5)
    changed = appearance.remap_contrast(image, structures, seeded(3))
    assert abs(float(changed[0, 20, 5] - changed[0, 20, 35])) > 0.02
    assert float((changed[0, 20, 1:] - changed[0, 20, :-1]).abs().max()) < 0.6 * float(
        (changed[0, 20, 5] - changed[0, 20, 35]).abs()
    )


def test_acquisition_is_deterministic_finite_and_not_negative():
    images = torch.rand(3, 3, 32, 24, generator=seeded())
    first, second = (appearance.acquire(images.clone(), AugmentSettings(), seeded(5)) for _ in range(2))
    assert torch.equal(first, second)
    assert torch.isfinite(first).all() and first.min() >= 0 and first.max() <= 2


def test_a_constant_image_stays_finite():
    images = appearance.acquire(torch.zeros(2, 3, 16, 16), AugmentSettings(noise=0), seeded())
    assert torch.isfinite(appearance.standardise(images, seeded())).all()


def test_softening_keeps_the_mean_of_a_pixel():
    image = torch.zeros(1, 9, 9)
    image[0, 4, 4] = 16
    soft = appearance.soften(image)
    assert soft[0, 4, 4] == 4 and soft[0, 4, 3] == 2 and soft[0, 3, 3] == 1 and soft.sum() == 16
