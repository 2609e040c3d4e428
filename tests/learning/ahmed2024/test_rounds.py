import json

import pytest

from napari_spineseg.learning.ahmed2024.rounds import Enough, Rounds, plateau_rate


@pytest.mark.parametrize(
    ("scores", "rate"),
    [
        ([], 1.0),
        ([0.1, 0.2, 0.3], 1.0),
        ([0.3, 0.2, 0.2], 0.5),  # two in a row brought nothing
        ([0.3, 0.2, 0.4, 0.2], 1.0),  # one, then a better one
        ([0.3, 0.2, 0.2, 0.2, 0.2], 0.25),
        ([0.3] + [0.2] * 40, 0.01),
    ],
)
def test_the_rate_falls_where_validation_stands_still(scores, rate):
    assert plateau_rate(scores, 1.0, patience=2, factor=0.5, least=0.01) == rate


def test_the_best_is_kept_and_waiting_ends(tmp_path):
    kept = []
    rounds = Rounds(tmp_path / "rounds.json", early_stop=2)
    for step, iou in enumerate((0.4, 0.6, 0.5)):
        rounds.add(step, {"mean_iou": iou}, lambda step=step: kept.append(step))
        rounds.check()
    assert kept == [0, 1]
    rounds.add(3, {"mean_iou": 0.6}, lambda: kept.append(3))
    with pytest.raises(Enough, match="2 validations"):
        rounds.check()
    assert rounds.best["step"] == 1
    assert kept == [0, 1]


def test_time_counts_over_sittings_and_ends_the_training(tmp_path):
    path = tmp_path / "rounds.json"
    path.write_text(json.dumps([{"step": 5, "mean_iou": 0.5, "seconds": 30.0}]))
    rounds = Rounds(path, limit_s=40)
    rounds.check()
    assert rounds.add(6, {"mean_iou": 0.4}, lambda: None)["seconds"] >= 30
    with pytest.raises(Enough, match="time"):
        Rounds(path, limit_s=30).check()
    Rounds(path).check()


def test_what_will_be_seen_again_is_forgotten(tmp_path):
    rounds = Rounds(tmp_path / "rounds.json")
    for step in (1, 2, 3):
        rounds.add(step, {"mean_iou": step / 10}, lambda: None)
    again = Rounds(tmp_path / "rounds.json")
    again.forget_after(2)
    assert again.scores == [0.1, 0.2]
