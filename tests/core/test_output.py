from __future__ import annotations

import numpy as np
import torch

from napari_spineseg.core.output import Output, largest

NUMBERS = np.array([0, 1, 2, 3], np.uint8)


def logits_of(labels: np.ndarray, height=20.0) -> torch.Tensor:
    """(4, h, w) logits that are sure of `labels`."""
    return torch.nn.functional.one_hot(torch.from_numpy(labels).long(), 4).movedim(-1, 0) * height


def test_the_largest_share_wins_and_the_first_of_equal_ones():
    shares = torch.rand(5, 30, 20)
    assert torch.equal(largest(shares), shares.argmax(0).to(torch.uint8))
    assert largest(torch.zeros(3, 2, 2)).sum() == 0


def test_labels_come_out_where_they_are():
    labels = np.random.default_rng(0).integers(0, 4, (12, 16))
    output = Output((3, 12, 16), (12, 16), NUMBERS)
    output.add(1, logits_of(np.pad(labels, ((0, 4), (0, 0)))), (0, 0))  # padded to 16 x 16

    np.testing.assert_array_equal(output.labels[1], labels)
    assert not output.labels[[0, 2]].any()


def test_part_of_a_slice_lands_in_its_place_and_replaces_an_earlier_look():
    output = Output((1, 20, 20), (20, 20), NUMBERS)
    output.add(0, logits_of(np.full((20, 20), 3)), (0, 0))
    part = np.zeros((8, 8), int)
    part[3:5, 3:5] = 2
    mask = output.add(0, logits_of(part), (8, 12))

    expected = np.zeros((20, 20), int)
    expected[11:13, 15:17] = 2
    np.testing.assert_array_equal(output.labels[0], expected)
    np.testing.assert_array_equal(mask.numpy(), part > 0)


def test_a_finer_scan_gets_smooth_borders():
    labels = np.zeros((16, 16), int)
    labels[4:12, 4:12] = 1
    output = Output((1, 64, 64), (16, 16), NUMBERS)
    output.add(0, logits_of(labels, 2.0), (0, 0))

    assert abs(int((output.labels[0] == 1).sum()) - 32 * 32) < 80
    assert output.labels[0][32, 32] == 1


def test_slices_between_are_interpolated():
    output = Output((5, 12, 12), (12, 12), NUMBERS, step=4)
    first, last = np.zeros((2, 12, 12), int)
    first[2:10, 2:10] = 1
    last[4:8, 4:8] = 1
    output.add(0, logits_of(first), (0, 0))
    output.add(4, logits_of(last), (0, 0))
    output.fill_between()

    sizes = [int(labels.sum()) for labels in output.labels]
    assert sizes[0] == 64 and sizes[4] == 16
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[1] == 64 and sizes[3] == 16


def test_between_something_and_nothing_the_nearer_one_counts():
    output = Output((5, 12, 12), (12, 12), NUMBERS, step=4, temperature=1.0)
    first = np.zeros((12, 12), int)
    first[2:10, 2:10] = 2
    output.add(0, logits_of(first), (0, 0))
    output.add(4, logits_of(np.zeros((12, 12), int)), (0, 0))
    output.fill_between()
    assert [int(labels.any()) for labels in output.labels] == [1, 1, 0, 0, 0]
    assert np.isfinite(output.uncertainty).all()
