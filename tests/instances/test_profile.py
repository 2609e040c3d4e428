"""Reading a column's signal: worked cases, and damage that must not change the count."""

import numpy as np
import pytest

from napari_spineseg.instances.profile import read_column


def signal(*stretches):
    """(vertebra, disc) of stretches ("V", mm) and ("D", mm); anything else is unpainted."""
    vertebra = np.concatenate([np.full(mm, float(kind == "V")) for kind, mm in stretches])
    disc = np.concatenate([np.full(mm, float(kind == "D")) for kind, mm in stretches])
    return vertebra, disc


ORDINARY = [(" ", 20), *([("V", 26), ("D", 8)] * 5), (" ", 40)]


def kinds(segments):
    return "".join("D" if s.is_disc else "V" for s in segments)


def test_an_ordinary_column_is_read_to_the_millimetre():
    segments = read_column(*signal(*ORDINARY))
    assert kinds(segments) == "VDVDVDVDVD"
    assert (segments[0].start, segments[0].stop, segments[-1].stop) == (20, 46, 190)
    assert all(s.evidence == 1 for s in segments)


def test_a_gap_between_vertebra_and_disc_is_no_vertebra():
    gaps = [(" ", 10), *([("V", 24), (" ", 2), ("D", 6), (" ", 2)] * 4)]
    assert kinds(read_column(*signal(*gaps))) == "VDVDVDVD"


@pytest.mark.parametrize("filler", ["V", " "])
def test_a_lost_disc_is_still_counted(filler):
    stretches = list(ORDINARY)
    stretches[4] = (filler, 8)
    segments = read_column(*signal(*stretches))
    assert kinds(segments) == "VDVDVDVDVD"
    assert segments[3].evidence < 0.5


def test_a_lost_vertebra_is_still_counted():
    stretches = list(ORDINARY)
    stretches[5] = (" ", 26)
    assert kinds(read_column(*signal(*stretches))) == "VDVDVDVDVD"


def test_a_collapsed_vertebra_is_one():
    stretches = list(ORDINARY)
    stretches[5] = ("V", 11)
    assert kinds(read_column(*signal(*stretches))) == "VDVDVDVDVD"


def test_a_partial_disc_outweighs_what_bridges_it():
    vertebra, disc = signal(*ORDINARY)
    vertebra[80:88], disc[80:88] = 0.5, 0.5
    assert kinds(read_column(vertebra, disc)) == "VDVDVDVDVD"


@pytest.mark.parametrize("scale", [0.65, 1.2])
def test_small_and_large_spines(scale):
    stretches = [(kind, round(mm * scale)) for kind, mm in ORDINARY]
    assert kinds(read_column(*signal(*stretches))) == "VDVDVDVDVD"


def test_a_vertebra_cut_by_the_border_counts():
    assert kinds(read_column(*signal(("V", 9), *ORDINARY[2:]))) == "VDVDVDVDVD"


def test_a_speck_beyond_the_column_does_not():
    segments = read_column(*signal(*ORDINARY, ("V", 1), (" ", 30)))
    assert kinds(segments) == "VDVDVDVDVD"


def test_nothing_is_read_from_nothing():
    assert read_column(np.zeros(100), np.zeros(100)) == []
