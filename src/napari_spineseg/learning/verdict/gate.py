"""The gate: whether a candidate may replace the model that it came from.

The rule, in full:

1. Better where it matters: on what was held back of the corrections, the mean Dice over structures has
   risen, and the lower end of the change's 95 % interval is above 0.
2. Nothing lost there: no structure's change on what was held back has its upper end below -0.01.
3. Not worse elsewhere: on the guard set the mean Dice has fallen by 0.003 at most, and the lower end of that
   change's 95 % interval is not below -0.006.

Intervals are of a paired bootstrap, see `scores`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from napari_spineseg.learning.run.events import Change

GUARD_LOSS = 0.003
GUARD_LOSS_AT_WORST = 0.006
STRUCTURE_LOSS = 0.01


@dataclass(frozen=True)
class Judgement:
    """The gate's word, with figures in the reason."""

    promoted: bool
    reason: str


def judge(held_back: Mapping[str, Change], guard: Mapping[str, Change], honest: bool = True) -> Judgement:
    """Apply the rule.

    Parameters
    ----------
    held_back, guard
        Changes by structure title, and "mean".
    honest
        Whether anything was held back; if not, nothing can be promoted.
    """
    objections = [*_not_independent(honest), *_not_better(held_back), *_lost(held_back), *forgotten(guard)]
    figures = (
        f"Held-back corrections {_say(held_back['mean'])}; guard {_say(guard['mean'])} (mean Dice, with the "
        "95 % interval of the change)."
    )
    if objections:
        return Judgement(False, f"Not promoted: {'; '.join(objections)}. {figures}")
    return Judgement(True, f"Promoted: better on held-back corrections and not worse elsewhere. {figures}")


def forgotten(changes: Mapping[str, Change]) -> list[str]:
    """What rule 3 has to say against changes on the guard set; empty where it is kept."""
    mean = changes["mean"]
    if mean.change is None or mean.low is None:
        return ["the guard scans could not be scored"]
    if mean.change < -GUARD_LOSS:
        return [f"it lost {-mean.change:.3f} Dice on the guard scans, and {GUARD_LOSS} is allowed"]
    if mean.low < -GUARD_LOSS_AT_WORST:
        return [f"it may have lost up to {-mean.low:.3f} Dice on the guard scans"]
    return []


def cost_of_overruling(held_back: Mapping[str, Change], guard: Mapping[str, Change]) -> str:
    """What it costs to use a model that was not promoted, in a sentence."""
    losses = [
        f"{title} {change.change:+.3f} Dice on {where}"
        for where, changes in (("held-back corrections", held_back), ("the guard scans", guard))
        for title, change in changes.items()
        if title != "mean" and change.change is not None and change.change < -0.0005
    ]
    if not losses:
        return "It scores no lower than its parent in any structure."
    return f"It scores lower than its parent: {', '.join(losses)}."


def _not_independent(honest: bool) -> list[str]:
    return [] if honest else ["no slice could be held back to judge by, so correct more slices"]


def _not_better(changes: Mapping[str, Change]) -> list[str]:
    mean = changes["mean"]
    if mean.change is None or mean.low is None:
        return ["what was held back holds nothing to judge by"]
    if mean.change <= 0:
        return ["it is not better on held-back corrections"]
    if mean.low <= 0:
        return ["that it is better on held-back corrections is not certain"]
    return []


def _lost(changes: Mapping[str, Change]) -> list[str]:
    return [
        f"{title} got worse on held-back corrections ({_say(change)})"
        for title, change in changes.items()
        if title != "mean" and change.high is not None and change.high < -STRUCTURE_LOSS
    ]


def _say(change: Change) -> str:
    if change.change is None or change.before is None or change.after is None:
        return "–"
    interval = "" if change.low is None else f" [{change.low:+.3f}, {change.high:+.3f}]"
    return f"{change.before:.3f} → {change.after:.3f}{interval}"
