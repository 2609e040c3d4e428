"""A click on a tumour gives its outline, with the model's help and without."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from napari_spineseg.core.checkpoint import LoadedModel, ModelCard
from napari_spineseg.core.inputs import InputSpec
from napari_spineseg.corrections.click import Hints
from napari_spineseg.scan import Scan
from napari_spineseg.tumours.click import TumourClicks
from napari_spineseg.tumours.outline import Outline

SPACING = (3.0, 0.8, 0.8)
SHAPE = (14, 130, 110)
CENTRE, OTHER = (7, 60, 50), (7, 60, 82)


class Bright(nn.Module):
    """Marks what is brighter than most; the real network is tested where it is trained."""

    def __init__(self) -> None:
        super().__init__()
        self.level = nn.Parameter(torch.tensor(3.4))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        tumour = 6 * (image[:, 1:2] - self.level)
        return torch.cat([-tumour, tumour], 1)


def ball(centre, radius_mm) -> np.ndarray:
    grids = np.ogrid[tuple(slice(0, n) for n in SHAPE)]
    return sum(((g - c) * mm) ** 2 for g, c, mm in zip(grids, centre, SPACING, strict=True)) <= radius_mm**2


def clicks_on(brightness: float, second: float = 0.0) -> TumourClicks:
    rng = np.random.default_rng(0)
    voxels = rng.normal(100, 6, SHAPE)
    voxels[ball(CENTRE, 9)] += brightness
    voxels[ball(OTHER, 7)] += second
    affine = np.zeros((4, 4))
    affine[0, 0], affine[2, 1], affine[1, 2], affine[3, 3] = SPACING[0], -SPACING[1], -SPACING[2], 1
    card = ModelCard(
        name="bright",
        network="penn",
        structures=["background", "tumour"],
        input=InputSpec(spacing_mm=0.8, neighbours=1, stride=8),
    )
    return TumourClicks(Scan(voxels.astype(np.float32), affine), LoadedModel(Bright().eval(), card), "cpu")


def dice(outline, truth: np.ndarray) -> float:
    found = np.zeros(SHAPE, bool)
    found[outline.box] = outline.mask
    return 2 * (found & truth).sum() / (found.sum() + truth.sum())


def test_one_click_gives_what_the_model_marks_there():
    outline = clicks_on(60, second=60).outline(Hints(inside=((7.0, 62.0, 52.0),)))
    assert outline.by_model and dice(outline, ball(CENTRE, 9)) > 0.92


def test_where_the_model_marks_nothing_the_image_decides():
    outline = clicks_on(16).outline(Hints(inside=((7.0, 60.0, 50.0), (7.0, 64.0, 46.0))))
    assert not outline.by_model and outline
    assert dice(outline, ball(CENTRE, 9)) > 0.35
    assert ball(CENTRE, 9)[outline.box][outline.mask].mean() > 0.8


def test_a_click_beside_it_takes_away():
    answers = clicks_on(60, second=60)
    first = answers.outline(Hints(inside=((7.0, 60.0, 50.0), (7.0, 60.0, 82.0))))
    assert dice(first, ball(CENTRE, 9) | ball(OTHER, 7)) > 0.9
    hints = Hints(inside=((7.0, 60.0, 50.0),), outside=((7.0, 60.0, 82.0),))
    second = answers.outline(hints, current=first)
    kept, gone = np.zeros(SHAPE, bool), ball(OTHER, 5)
    kept[second.box] = second.mask
    assert kept[gone].mean() < 0.35 and kept[ball(CENTRE, 6)].mean() > 0.9


def test_what_lies_out_of_reach_of_the_clicks_stays():
    answers = clicks_on(60)
    far = (slice(0, 3), slice(0, 6), slice(100, 110))
    everything = Outline((slice(0, 14), slice(0, 130), slice(0, 110)), ball(CENTRE, 9), True)
    everything.mask[far] = True
    refined = answers.outline(Hints(inside=((7.0, 60.0, 50.0),)), current=everything)
    kept = np.zeros(SHAPE, bool)
    kept[refined.box] = refined.mask
    assert kept[far].all() and kept[ball(CENTRE, 6)].mean() > 0.9


def test_the_network_is_warm_before_the_first_click(monkeypatch):
    sizes = []
    forward = Bright.forward
    monkeypatch.setattr(
        Bright, "forward", lambda self, image: (sizes.append(image.shape), forward(self, image))[1]
    )
    answers = clicks_on(60)
    before = set(sizes)
    answers.outline(Hints(inside=(tuple(map(float, CENTRE)),)))
    # All that a click asks the network has been asked once.
    assert before and set(sizes) == before


def test_a_box_takes_what_is_in_it_and_nothing_else():
    answers = clicks_on(60, second=60)
    outline = answers.outline(Hints(), within=((7.0, 46.0, 36.0), (7.0, 74.0, 64.0)))
    assert dice(outline, ball(CENTRE, 9)) > 0.9


def test_the_probability_fits_the_box_at_the_rim_of_the_scan():
    answers = clicks_on(60)
    box = (slice(0, 5), slice(100, 130), slice(0, 33))
    share = answers.probability(box)
    assert share.shape == (5, 30, 33) and share.mean() < 0.02


def test_slices_between_predicted_ones_are_in_between():
    answers = clicks_on(60)
    answers.spacing = (1.0, 0.8, 0.8)
    share = answers.probability((slice(2, 12), slice(55, 65), slice(45, 55)))
    assert share.shape == (10, 10, 10) and np.isfinite(share).all()
    assert share.mean((1, 2)).max() > 0.7 > share[0].mean() + 0.1


@pytest.mark.parametrize("corner", [(0.0, 0.0, 0.0), (13.0, 129.0, 109.0)])
def test_a_click_at_a_corner_breaks_nothing(corner):
    outline = clicks_on(60).outline(Hints(inside=(corner,)))
    assert outline.mask.shape == tuple(s.stop - s.start for s in outline.box)
