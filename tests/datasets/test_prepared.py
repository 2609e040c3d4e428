import numpy as np
import pytest

from napari_spineseg.datasets.prepared import (
    PreparedVolume,
    load_prepared,
    resized_labels,
    windowed,
)
from napari_spineseg.errors import DatasetError


def test_a_volume_survives_the_disk(tmp_path):
    rng = np.random.default_rng(0)
    values = rng.integers(0, 255, (2, 5, 6)).astype(np.uint8)
    volume = PreparedVolume("a", "7", "tissues", values, values % 4, 3.3, 0.5)
    volume.save(tmp_path)
    (back,) = load_prepared(tmp_path)
    assert (back.name, back.patient, back.kind) == ("a", "7", "tissues")
    assert (back.slice_mm, back.spacing_mm) == (3.3, 0.5)
    assert (back.values == values).all() and (back.structures == values % 4).all()


def test_an_empty_folder_says_what_to_do(tmp_path):
    with pytest.raises(DatasetError, match="dataset prepare"):
        load_prepared(tmp_path)


def test_each_slice_gets_its_own_window():
    ramp = np.linspace(0, 100, 400).reshape(1, 20, 20)
    both = windowed(np.concatenate([ramp, 1000 + 7 * ramp]))
    assert abs(both[0].astype(int) - both[1].astype(int)).max() <= 1
    assert both[0].min() == 0 and both[0].max() == 255


def test_resized_labels_keep_their_values_and_places():
    labels = np.zeros((1, 10, 10), np.uint16)
    labels[0, :5], labels[0, 5:, 5:] = 207, 3
    large = resized_labels(labels, (40, 40), (0, 3, 207))
    assert large.dtype == np.uint16 and set(np.unique(large)) == {0, 3, 207}
    assert (large[0, :18] == 207).all()
    assert (large[0, 22:, 22:] == 3).all() and (large[0, 22:, :18] == 0).all()
