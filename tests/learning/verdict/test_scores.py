import numpy as np
import pytest

from napari_spineseg.core.metrics import agreement
from napari_spineseg.learning.verdict.scores import Tally, tally

TITLES = {1: "vertebra", 2: "disc"}


@pytest.fixture
def truth():
    labels = np.zeros((4, 60, 30), np.uint8)
    labels[:, 5:55, 5:15] = 1
    labels[:, 5:55, 20:25] = 2
    return labels


def test_scores_are_dice(truth):
    seen = np.roll(truth, 2, axis=2)
    found = tally(seen, truth, 2.0, TITLES).scores()
    for number, title in TITLES.items():
        assert found[title] == pytest.approx(
            agreement(truth == number, seen == number, (1, 1, 1)).dice, abs=1e-4
        )
    assert found["mean"] == pytest.approx((found["vertebra"] + found["disc"]) / 2, abs=1e-4)


def test_what_nobody_labelled_is_not_counted(truth):
    seen = truth.copy()
    seen[:, :, 26:] = 1
    unknown = truth.copy()
    unknown[:, :, 26:] = 255
    assert tally(seen, truth, 2.0, TITLES).scores()["vertebra"] < 0.9
    assert tally(seen, unknown, 2.0, TITLES).scores()["vertebra"] == 1
    assert tally(seen, truth, 2.0, TITLES, taught=[2]).scores()["vertebra"] is None


def test_a_real_gain_is_certain_and_none_is_not(truth):
    rng = np.random.default_rng(0)
    noisy = np.where(rng.random(truth.shape) < 0.3, 0, truth)
    other = np.where(rng.random(truth.shape) < 0.3, 0, truth)
    before = tally(noisy, truth, 2.0, TITLES)
    gain = before.changes(tally(truth, truth, 2.0, TITLES))["mean"]
    assert gain.low > 0.05 and gain.low <= gain.change <= gain.high
    none = before.changes(tally(other, truth, 2.0, TITLES))["mean"]
    assert none.low < 0 < none.high


def test_units_stay_the_same_whatever_was_predicted(truth):
    empty = tally(np.zeros_like(truth), truth, 2.0, TITLES)
    full = tally(np.ones_like(truth), truth, 2.0, TITLES)
    assert empty.counts.shape == full.counts.shape
    assert empty.changes(full)["vertebra"].before == 0


def test_scans_weigh_the_same_however_many_slices_they_have(truth):
    wrong = np.zeros_like(truth[:1])
    joined = Tally.joined([tally(truth, truth, 2.0, TITLES), tally(wrong, truth[:1], 2.0, TITLES)])
    assert joined.scores()["vertebra"] == 0.5 and set(joined.scan) == {0, 1}
