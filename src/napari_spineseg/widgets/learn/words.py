"""A learning run in words: what is trained, how long it takes, what the gate said, what overruling costs."""

from __future__ import annotations

from collections.abc import Mapping

from napari_spineseg.learning.run.events import Change, PlanEvent, ProgressEvent, VerdictEvent
from napari_spineseg.learning.run.outlook import Outlook
from napari_spineseg.learning.verdict.gate import cost_of_overruling
from napari_spineseg.models import ModelEntry

_STATES = {"done": "done", "in-progress": "in progress", "excluded": "left out"}
_MOST = 12


def scans_in_words(seen: Outlook) -> str:
    """A line a corrected scan: name, state, what was changed."""
    lines = []
    for scan in seen.scans[:_MOST]:
        changed = f", {scan.changed_voxels} voxels changed" if scan.changed_voxels is not None else ""
        model = f", {scan.model}" if scan.model else ""
        lines.append(f"{scan.name}: {_STATES.get(scan.state, scan.state)}{changed}{model}")
    if len(seen.scans) > _MOST:
        lines.append(f"and {len(seen.scans) - _MOST} more")
    return "\n".join(lines)


def plan_in_words(plan: PlanEvent) -> str:
    """What is trained, from what, and what is held back."""
    learnt = [scan.scan for scan in plan.scans if scan.role in ("learn", "both")]
    held = [scan.scan for scan in plan.scans if scan.role == "held back"]
    parts = [f"Starts from {plan.parent}, up to {plan.steps} steps; learns from {', '.join(learnt)}."]
    if held:
        parts.append(f"Held back: {', '.join(held)}.")
    return " ".join([*parts, plan.split, plan.replay]).strip()


def refused_in_words(plan: PlanEvent) -> list[str]:
    """Corrections that are not learnt from, and why."""
    return [
        f"{scan.scan} is not learnt from. {scan.sentence}" for scan in plan.scans if scan.role == "refused"
    ]


def left_in_words(progress: ProgressEvent) -> str:
    """The stage, and how long the whole run still takes.

    >>> left_in_words(ProgressEvent(stage="Training", done=1, total=9, seconds_left=75))
    'Training: 1 of 9 · about 1 min 15 s left'
    """
    words = f"{progress.stage}: {progress.done} of {progress.total}"
    seconds = progress.seconds_left
    if seconds is None:
        return words
    minutes, rest = divmod(round(seconds), 60)
    return f"{words} · about {f'{minutes} min ' if minutes else ''}{rest} s left"


def figures_in_words(changes: Mapping[str, Change]) -> str:
    """Scores before and after by structure, and below each the change with its 95 % interval."""
    lines = []
    for title, change in changes.items():
        if change.before is None or change.after is None:
            lines.append(f"{title}: –")
            continue
        interval = f" ({change.low:+.3f} to {change.high:+.3f})" if change.low is not None else ""
        moved = f"\n    {change.change:+.3f}{interval}" if change.change is not None else ""
        lines.append(f"{title}: {change.before:.3f} → {change.after:.3f}{moved}")
    return "\n".join(lines)


def headline_of(verdict: VerdictEvent) -> str:
    """The gate's word in three."""
    if verdict.in_use:
        return "Better, and in use now"
    return "Better, kept beside" if verdict.promoted else "Not promoted"


def cost_of(entry: ModelEntry) -> str:
    """That a version did not pass the gate, and what using it costs."""
    figures = entry.card.get("figures", {})
    held_back, guard = (
        {title: Change.model_validate(change) for title, change in figures.get(part, {}).items()}
        for part in ("held_back", "guard")
    )
    return f"{entry.key} did not pass the gate. {cost_of_overruling(held_back, guard)}"


def use_in_words(verdict: VerdictEvent, used: bool) -> str:
    """What using a version costs that the gate did not promote, or the way back where it is `used`."""
    if verdict.promoted:
        return ""
    if used:
        return f"{verdict.key} is used now; Roll back returns to the one before."
    return cost_of_overruling(verdict.held_back, verdict.guard)
