import pytest

from napari_spineseg.learning.run.events import Change
from napari_spineseg.learning.verdict.gate import cost_of_overruling, judge


def change(by, half=0.001, before=0.8):
    return Change(before=before, after=before + by, change=by, low=by - half, high=by + half)


GOOD = {"vertebra": change(0.1), "mean": change(0.1)}
SAME = {"mean": change(0.0)}


def test_better_and_not_worse_is_promoted_with_figures():
    judgement = judge(GOOD, SAME)
    assert judgement.promoted and "0.800 → 0.900" in judgement.reason


@pytest.mark.parametrize(
    ("held", "guard", "why"),
    [
        ({"mean": change(-0.01)}, SAME, "not better"),
        ({"mean": change(0.02, half=0.03)}, SAME, "not certain"),
        ({"mean": Change(before=None, after=None)}, SAME, "nothing to judge by"),
        ({"disc": change(-0.05), "mean": change(0.05)}, SAME, "disc got worse"),
        (GOOD, {"mean": change(-0.0031)}, "it lost 0.003"),
        (GOOD, {"mean": change(-0.002, half=0.01)}, "may have lost up to 0.012"),
        (GOOD, {"mean": Change(before=None, after=None)}, "could not be scored"),
    ],
)
def test_anything_else_is_not_with_the_reason(held, guard, why):
    judgement = judge(held, guard)
    assert not judgement.promoted and why in judgement.reason


def test_without_anything_held_back_nothing_is_promoted():
    assert "could be held back" in judge(GOOD, SAME, honest=False).reason


def test_a_loss_within_the_margin_is_allowed():
    assert judge(GOOD, {"mean": change(-0.0029)}).promoted


def test_overruling_names_what_it_costs():
    words = cost_of_overruling({"disc": change(-0.05), "mean": change(-0.05)}, {"vertebra": change(-0.02)})
    assert words == (
        "It scores lower than its parent: disc -0.050 Dice on held-back corrections, "
        "vertebra -0.020 Dice on the guard scans."
    )
    assert cost_of_overruling(GOOD, SAME) == "It scores no lower than its parent in any structure."
