import numpy as np
import pytest
import torch

from napari_spineseg.core.augment import AugmentSettings
from napari_spineseg.datasets.crops import CropSampler, CropSettings
from napari_spineseg.datasets.prepared import PreparedVolume
from napari_spineseg.synthesis.tissues import Tissue

SETTINGS = CropSettings(height_px=64, width_px=48)


@pytest.fixture
def volumes():
    structures = np.zeros((5, 96, 80), np.uint8)
    structures[:, 20:70, 30:50] = 1
    values = np.where(structures == 1, 200, 40).astype(np.uint8)
    tissues = np.where(structures == 1, Tissue.MARROW, Tissue.MUSCLE).astype(np.uint8)
    return [
        PreparedVolume("image", "1", "image", values, structures, 0.9, 0.5),
        PreparedVolume("tissues", "2", "tissues", tissues, structures, 4.0, 0.5),
    ]


def test_a_batch_has_the_promised_shapes_and_is_finite(volumes):
    batch = CropSampler(volumes, SETTINGS, 0).batch(0, 6)
    assert batch.image.shape == (6, 3, 64, 48) and batch.image.dtype == torch.float32
    assert batch.target.shape == (6, 64, 48) and set(batch.target.unique().tolist()) <= {0, 1}
    assert torch.isfinite(batch.image).all() and (batch.target == 1).any()


def test_a_batch_depends_on_seed_and_step_alone(volumes):
    first, again = (CropSampler(volumes, SETTINGS, 3) for _ in range(2))
    first.batch(0, 2)
    assert torch.equal(first.batch(5, 4).image, again.batch(5, 4).image)
    assert not torch.equal(first.batch(5, 4).image, first.batch(6, 4).image)
    assert not torch.equal(first.batch(5, 4).image, CropSampler(volumes, SETTINGS, 4).batch(5, 4).image)


def test_target_follows_the_image(volumes):
    """Geometry acts on both: without any change of contrast the bright part is the labelled part."""
    plain = {"remap_share": 0.0, "noise": 0.0, "bias": 0.0, "blur_share": 0.0}
    settings = SETTINGS.model_copy(
        update={
            "synthetic_share": 0.0,
            "anywhere_share": 0.0,
            "augment": SETTINGS.augment.model_copy(update=plain),
        }
    )
    batch = CropSampler(volumes[:1], settings, 0).batch(0, 8)
    for image, target in zip(batch.image[:, 1], batch.target, strict=True):
        bright = image > (image.min() + image.max()) / 2
        assert (bright == (target == 1)).float().mean() > 0.95


def test_crops_that_stay_inside_see_no_repeated_border():
    rows = np.broadcast_to(np.arange(60, dtype=np.uint8)[None, :, None], (3, 60, 50)).copy()
    structures = np.zeros(rows.shape, np.uint8)
    structures[:, :2] = 1  # the spine is at the very top
    still = AugmentSettings(
        rotation_deg=0, scale=1, shear=0, warp_mm=0, remap_share=0, blur_share=0, noise=0, bias=0
    )
    settings = CropSettings(
        height_px=32, width_px=32, inside=True, anywhere_share=0, synthetic_share=0, augment=still
    )
    volume = PreparedVolume("a", "1", "image", rows, structures, 4.0, 0.5)
    targets = CropSampler([volume], settings, 0).batch(0, 8).target
    # Half of each crop would lie above the image, and show no spine or all of it
    assert ((targets == 1).sum((1, 2)) <= 2 * 32).all() and (targets[:, :3] == 1).any()


def test_padding_is_as_dark_as_the_darkest_tissue_and_holds_nothing(volumes):
    augment = SETTINGS.augment.model_copy(update={"padded_share": 1.0})
    settings = SETTINGS.model_copy(update={"augment": augment, "synthetic_share": 0.0})
    plain = CropSampler(volumes, SETTINGS.model_copy(update={"synthetic_share": 0.0}), 0).batch(0, 8)
    padded = CropSampler(volumes, settings, 0).batch(0, 8)
    darkest = plain.image.amin((2, 3), keepdim=True)
    changed = (padded.image != plain.image).all(1)
    assert (changed.float().mean((1, 2)) > 0.02).sum() >= 6 and changed.float().mean() < 0.7
    assert (padded.image == darkest.expand_as(padded.image))[changed[:, None].expand_as(padded.image)].all()
    assert (padded.target[changed] == 0).all() and torch.equal(
        padded.target[~changed], plain.target[~changed]
    )


def test_lateral_slices_come_more_often_when_asked_for():
    structures = np.zeros((9, 96, 80), np.uint8)
    structures[2:7, 20:70, 30:50] = 1
    structures[(1, 7), 40:50, 30:50] = 1  # the sides of a body
    tissues = np.where(structures == 1, Tissue.MARROW, Tissue.MUSCLE).astype(np.uint8)
    volume = PreparedVolume("tissues", "2", "tissues", tissues, structures, 4.0, 0.5)
    still = AugmentSettings(rotation_deg=0, scale=1, shear=0, warp_mm=0)
    sizes = []
    for share in (0.0, 1.0):
        settings = CropSettings(height_px=96, width_px=80, inside=True, lateral_share=share, augment=still)
        batch = CropSampler([volume], settings, 0).batch(0, 12)
        sizes.append((batch.target == 1).sum((1, 2)))
    assert (sizes[0] > 500).any() and ((sizes[1] > 0) & (sizes[1] < 500)).all()


def test_what_metal_hides_is_dark_and_not_learnt(volumes):
    augment = SETTINGS.augment.model_copy(update={"void_share": 1.0, "noise": 0.0})
    settings = SETTINGS.model_copy(update={"augment": augment})
    plain, batch = (CropSampler(volumes, s, 0).batch(0, 8) for s in (SETTINGS, settings))
    hidden = batch.target == 255
    assert not (plain.target == 255).any() and (hidden.flatten(1).sum(1) > 20).sum() >= 5
    for image, void in zip(batch.image[:, 1], hidden, strict=True):
        if void.any() and not void.all():
            assert image[void].mean() < image[~void].mean()


@pytest.mark.parametrize(
    "change", [{"worn_share": 1.0}, {"texture_share": 1.0}, {"augment": AugmentSettings(spoiled_share=1.0)}]
)
def test_wear_texture_and_artefacts_change_images_and_not_their_labels(volumes, change):
    volumes[0].structures[:, 40:46, 30:50] = 2
    volumes[0].structures[:, 46:48, 30:50] = 0
    settings = SETTINGS.model_copy(
        update={"synthetic_share": 1.0 if "texture_share" in change else 0.0, "anywhere_share": 0.0}
    )
    plain = CropSampler(volumes, settings, 0).batch(0, 6)
    changed = CropSampler(volumes, settings.model_copy(update=change), 0).batch(0, 6)
    assert torch.isfinite(changed.image).all()
    assert torch.equal(changed.target[0], plain.target[0])
    assert not torch.allclose(changed.image, plain.image, atol=0.05)
