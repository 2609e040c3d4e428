import pytest

from napari_spineseg.anatomy import Numbering
from napari_spineseg.anatomy_words import summarise


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([], "nothing found"),
        ([0], "nothing found"),
        (range(1, 8), "L5–T11"),
        ([1, 2, 5, 6], "L5–L4, L1–T12"),
        ([1, 100, 201], "L5, 1 disc, spinal canal"),
        ([100, 301, 302], "spinal canal, 2 tumours"),
    ],
)
def test_summary_in_words(labels, words):
    assert summarise(labels) == words


def test_summary_counts_from_the_numbering():
    assert summarise([1, 2], Numbering(lumbar=6)) == "L6–L5"
