import pytest

from napari_spineseg.anatomy import Numbering
from napari_spineseg.anatomy_words import renamed, summarise


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


@pytest.mark.parametrize(
    ("text", "shift", "after", "expected"),
    [
        ("L5 and L4/L5", 1, Numbering(), "L4 and L3/L4"),
        ("L5 body", 0, Numbering(lumbar=6), "L6 body"),
        ("intradural at L5/S1", 1, Numbering(), "intradural at L4/L5"),
        ("T12", -1, Numbering(), "L1"),
        ("L5 body", -1, Numbering(), "S1 body"),
        ("A T2 scan of 3 T", 1, Numbering(), "A T2 scan of 3 T"),
    ],
)
def test_names_in_a_sentence_follow(text, shift, after, expected):
    assert renamed(text, shift, Numbering(), after) == expected
