import pytest
import torch

from napari_spineseg.core import artefacts


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def image(size=(48, 40)) -> torch.Tensor:
    return torch.rand(3, *size, generator=seeded(9))


@pytest.mark.parametrize("kind", [artefacts.ghosts, artefacts.smear, artefacts.saturate])
def test_each_artefact_is_deterministic_changes_all_slices_alike_and_stays_in_range(kind):
    alike = image()[:1].expand(3, -1, -1)
    first, again = (kind(alike.clone(), seeded(4)) for _ in range(2))
    assert torch.equal(first, again) and first.shape == alike.shape
    assert torch.equal(first[0], first[2]) and not torch.allclose(first[0], alike[0], atol=1e-3)
    assert first.min() >= 0 and first.max() <= 1.7


def test_ghosts_are_copies_at_equal_distances():
    dot = torch.zeros(1, 60, 60)
    dot[0, 30, 30] = 1
    spots = artefacts.ghosts(dot, seeded(1))[0].nonzero()
    away = (spots - 30).abs().sum(1).unique()
    assert len(spots) == 5 and len(away) == 3 and away[2] == 2 * away[1]


def test_a_smear_averages_along_one_axis_only():
    line = torch.zeros(1, 40, 40)
    line[0, 20] = 1
    for seed in range(8):
        smeared = artefacts.smear(line, seeded(seed))
        assert smeared[0, 20, 20] == 1 or (smeared[0, :, 20].sum() - 1).abs() < 1e-5


def test_a_saturation_band_darkens_the_front_and_leaves_the_back():
    for seed in range(8):
        dark = artefacts.saturate(torch.ones(1, 64, 64), seeded(seed))[0]
        assert dark[:, -8:].min() > 0.9 and dark[:, 0].min() < 0.8
        assert (dark[32].diff() >= 0).all()


def test_about_the_asked_share_is_spoiled():
    images = image().expand(200, -1, -1, -1).clone()
    spoiled = artefacts.spoil(images.clone(), 0.3, seeded())
    changed = (spoiled != images).flatten(1).any(1)
    assert 40 <= int(changed.sum()) <= 80
    assert torch.equal(artefacts.spoil(images.clone(), 0.0, seeded()), images)


def test_a_void_has_a_rim_around_it():
    inside, rim = artefacts.draw_voids(6, (96, 80), 1.0, seeded(2))
    assert inside.shape == rim.shape == (6, 96, 80) and inside.flatten(1).any(1).all()
    for void, bright in zip(inside, rim, strict=True):
        if bright.max() > 0.1:
            brightest = (bright == bright.max()).nonzero()[0]
            away = (void.nonzero() - brightest).square().sum(1).min() ** 0.5
            assert away <= 3
    none, dark = artefacts.draw_voids(6, (96, 80), 0.0, seeded(2))
    assert not none.any() and not dark.any()
