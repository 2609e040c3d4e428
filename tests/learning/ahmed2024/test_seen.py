from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_spineseg.core.inputs import InputSpec, network_input
from napari_spineseg.datasets.crops import UNLABELLED
from napari_spineseg.learning.ahmed2024 import seen
from napari_spineseg.learning.ahmed2024.default import prepared
from napari_spineseg.learning.ahmed2024.parts import rows_of_step
from napari_spineseg.learning.ahmed2024.seen import SeenFeed
from napari_spineseg.learning.ahmed2024.slices import read_slices

TRAIN = np.array([0, 1, 3, 4, 6, 7, 9, 10])
SPEC = InputSpec(stride=4, neighbour_mm=1.0)


@pytest.fixture
def feed(write_release, tmp_path):
    slices = read_slices(write_release(tmp_path / "data", {str(n): range(3) for n in range(1, 5)}))
    return SeenFeed(slices, prepared(slices, TRAIN), TRAIN, SPEC, batch=4, seed=1)


def test_a_step_is_the_same_whenever_it_is_asked_for(feed, monkeypatch):
    monkeypatch.setattr(seen, "CROP_PX", (24, 16))
    first, again, other = feed(5), feed(5), feed(6)
    assert torch.equal(first.image, again.image) and torch.equal(first.target, again.target)
    assert not torch.equal(first.image, other.image)


def test_what_is_learnt_from_is_a_part_of_what_is_shown_in_use(feed, monkeypatch):
    monkeypatch.setattr(seen, "CROP_PX", (24, 16))
    batch = feed(0)
    assert batch.image.shape == (4, 3, 24, 16) and batch.target.shape == (4, 24, 16)
    for row, image, target in zip(rows_of_step(TRAIN, 0, 4, 1), batch.image, batch.target, strict=True):
        volume, place = feed.volumes[feed.slices.stack[row]], int(feed.slices.place[row])
        whole = network_input(volume.values, place, volume.slice_mm, SPEC)[0]
        windows = whole.unfold(1, 24, 1).unfold(2, 16, 1)
        at = torch.nonzero((windows == image[:, None, None]).all(-1).all(-1).all(0))
        assert len(at) == 1
        r, c = at[0].tolist()
        labels = torch.from_numpy(volume.structures[place]).long()[r : r + 24, c : c + 16]
        known = target[: labels.shape[0], : labels.shape[1]]
        assert torch.equal(known, labels) and (known > 0).any()


def test_padding_is_not_learnt_from(feed, monkeypatch):
    monkeypatch.setattr(seen, "CROP_PX", (999, 999))
    volume = feed.volumes[0]
    batch = feed(0)
    height, width = volume.structures.shape[1:]
    outside = batch.target.clone()
    outside[:, :height, :width] = UNLABELLED
    assert (outside == UNLABELLED).all()
    assert set(batch.target[:, :height, :width].unique().tolist()) == {0, 1, 2, 3}
