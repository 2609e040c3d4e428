"""How much work it is to make a segmentation right: with the tools, and by painting alone.

    python -m benchmarks.correction_effort [--data DIR] [--keep DIR] [--scans N] [--json FILE]

A simulated person corrects the bundled model's answers, worst scan first, until the mean Dice over
structures reaches each of `GOALS`. The person paints exactly: one stroke is one patch of a slice that is
wrong in one way, however large; it is one action, and its voxels are painted voxels.

- *Painting alone*: the largest patch of the scan, again and again.
- *With the tools*: structures of which hardly anything is there go by *Erase all of it*, one action each.
  Then the slice with most wrong voxels is put right, the largest patch first, down to
  patches of `_LEAST_PIXELS`; then *Carry over*, one action, mends the others after it. What makes it
  worse is taken back: one action more. Then the next slice, whichever is the worst by now. When all slices
  were put right in this way, what is left is painted as above.

Finding the place, choosing the structure and looking cost nothing in either way.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path

import cc3d
import numpy as np

from benchmarks.corrected_cases import Case, cases, options
from napari_spineseg.anatomy import levels_to_structures
from napari_spineseg.corrections.carry import carry_over
from napari_spineseg.corrections.edit import Edit
from napari_spineseg.corrections.tools import erase_structure

GOALS = (0.90, 0.92, 0.94, 0.95, 0.97)
_LEAST_PIXELS = 60
# A structure goes whole where no more than this share of it is there.
_HARDLY = 0.1
_MOST_STROKES = 20_000
_STRUCTURES = (1, 2, 3)


@dataclass
class Effort:
    """What it took."""

    actions: int = 0
    painted: int = 0
    reached: dict[float, tuple[int, int]] = field(default_factory=dict)

    def note(self, dice: float) -> bool:
        """Remember which goals are reached; whether all are."""
        for goal in GOALS:
            if dice >= goal:
                self.reached.setdefault(goal, (self.actions, self.painted))
        return len(self.reached) == len(GOALS)


class Bench:
    """One scan on the table: labels in levels that are being corrected, and what they should be."""

    def __init__(self, case: Case) -> None:
        self.case, self.labels = case, case.labels.copy()
        self.truth = levels_to_structures(case.reference)
        self.now = levels_to_structures(self.labels)
        # Outside of this nothing is wrong, and no click reaches that far.
        self.rows, self.columns = _spans((self.now > 0) | (self.truth > 0))
        self.counts = np.array([self._count(self.now, self.truth, s) for s in _STRUCTURES], float)
        self.patches = {n: self._patches(n) for n in range(len(self.now))}

    @property
    def dice(self) -> float:
        """Mean over the structures."""
        common, found, there = self.counts.T
        return float(np.mean(2 * common / np.maximum(found + there, 1)))

    def gain(self, edit: Edit) -> int:
        """How many wrong voxels fewer there would be."""
        before, truth = self.now[edit.index], self.truth[edit.index]
        after = levels_to_structures(edit.values)
        return int(np.count_nonzero(after == truth)) - int(np.count_nonzero(before == truth))

    def apply(self, edit: Edit) -> None:
        """Make the edit."""
        before, truth = self.now[edit.index], self.truth[edit.index]
        after = levels_to_structures(edit.values)
        for row, s in enumerate(_STRUCTURES):
            self.counts[row] += self._count(after, truth, s) - self._count(before, truth, s)
        self.labels[edit.index], self.now[edit.index] = edit.values, after
        for number in np.unique(edit.index[0]):
            self.patches[int(number)] = self._patches(int(number))

    def worst(self) -> tuple[int, np.ndarray] | None:
        """The largest patch: slice, and where on it."""
        fullest = max(self.patches, key=lambda n: self.patches[n][1])
        patches, size = self.patches[fullest]
        if not size:
            return None
        return fullest, self._patch(patches)

    def invented(self) -> list[int]:
        """Labels of which hardly a voxel is what it says."""
        right = np.bincount(self.labels[self.now == self.truth], minlength=int(self.labels.max()) + 1)
        there = np.bincount(self.labels.ravel(), minlength=len(right))
        return [int(n) for n in np.flatnonzero(right < _HARDLY * there) if n]

    def worst_slice(self, corrected: list[int]) -> int | None:
        """The slice with most wrong voxels, but for those that were put right."""
        wrong = np.count_nonzero(self.now != self.truth, (1, 2))
        wrong[corrected] = 0
        return int(wrong.argmax()) if wrong.any() else None

    def largest(self, number: int) -> np.ndarray | None:
        """The largest patch of a slice, if it is worth a stroke."""
        patches, size = self.patches[number]
        return self._patch(patches) if size >= _LEAST_PIXELS else None

    def stroke(self, number: int, patch: np.ndarray) -> Edit:
        """The patch painted as it should be."""
        rows, columns = (axis.astype(np.int32) for axis in np.nonzero(patch))
        index = (np.full(len(rows), number, np.int32), rows, columns)
        return Edit(index, self.case.reference[index].astype(np.uint16))

    def _patch(self, patches: np.ndarray) -> np.ndarray:
        """The largest of the patches, (rows, columns) bool of the whole slice."""
        sizes = np.bincount(patches.ravel())
        sizes[0] = 0
        patch = np.zeros(self.now.shape[1:], bool)
        patch[self.rows, self.columns] = patches == sizes.argmax()
        return patch

    def _patches(self, number: int) -> tuple[np.ndarray, int]:
        where = number, self.rows, self.columns
        now, truth = self.now[where], self.truth[where]
        # One number a kind of error: what was said and what it is.
        kinds = np.where(now != truth, now.astype(np.uint16) * 8 + truth + 1, 0).astype(np.uint16)
        patches = cc3d.connected_components(kinds, connectivity=8)
        sizes = np.bincount(patches.ravel())
        return patches, int(sizes[1:].max()) if len(sizes) > 1 else 0

    @staticmethod
    def _count(found: np.ndarray, truth: np.ndarray, structure: int) -> np.ndarray:
        a, b = found == structure, truth == structure
        return np.array([np.count_nonzero(a & b), np.count_nonzero(a), np.count_nonzero(b)], float)


def _spans(used: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns of (slices, rows, columns) that hold anything, with a margin of a click's reach."""
    margin = 60 if len(used) > 1 else 0
    out = []
    for axes, size in (((0, 2), used.shape[1]), ((0, 1), used.shape[2])):
        there = np.flatnonzero(used.any(axes))
        out.append(slice(max(0, int(there[0]) - margin), min(size, int(there[-1]) + margin + 1)))
    return tuple(out)


def by_painting(case: Case, bench: Bench | None = None, effort: Effort | None = None) -> Effort:
    """Patch after patch by hand, from the start or from what was done to `bench` with `effort` before."""
    bench, effort = bench or Bench(case), effort or Effort()
    while (
        not effort.note(bench.dice)
        and effort.actions < _MOST_STROKES
        and (worst := bench.worst()) is not None
    ):
        stroke = bench.stroke(*worst)
        bench.apply(stroke)
        effort.actions, effort.painted = effort.actions + 1, effort.painted + len(stroke)
    return effort


def with_tools(case: Case) -> Effort:
    """Slice after slice by hand, each carried over to the others."""
    bench, effort, corrected = Bench(case), Effort(), []
    for label in bench.invented():
        bench.apply(erase_structure(bench.labels, label, case.spacing))
        effort.actions += 1
    while not effort.note(bench.dice) and (number := bench.worst_slice(corrected)) is not None:
        corrected.append(number)
        while (patch := bench.largest(number)) is not None:
            stroke = bench.stroke(number, patch)
            bench.apply(stroke)
            effort.actions, effort.painted = effort.actions + 1, effort.painted + len(stroke)
            if effort.note(bench.dice):
                return effort
        edit = carry_over(bench.labels, case.labels, corrected, case.spacing, case.image)
        effort.actions += 1
        if bench.gain(edit) > 0:
            bench.apply(edit)
        else:
            effort.actions += bool(len(edit))
    return by_painting(case, bench, effort)


def main(arguments: list[str] | None = None) -> None:
    """Measure, print, write down."""
    parser = options(__doc__.splitlines()[0])
    parser.add_argument("--scans", type=int, help="only so many, the worst ones")
    chosen = parser.parse_args(arguments)
    found = sorted(cases(chosen.data, chosen.model, chosen.keep), key=lambda case: case.dice)[: chosen.scans]
    if not found:
        sys.exit(f"There is no NAME_image.nii.gz in {chosen.data}.")
    figures = []
    for case in found:
        painting, tooled = by_painting(case), with_tools(case)
        figures.append({"scan": case.name, "dice": case.dice, "painting": painting, "tools": tooled})
        if chosen.json:
            _write(chosen.json, figures)
        print(f"{case.name} from Dice {case.dice:.3f}", flush=True)
        for goal in GOALS:
            print(f"  to {goal}: {_line(painting.reached.get(goal), tooled.reached.get(goal))}", flush=True)
    for goal in GOALS:
        for n, what in enumerate(("actions", "painted voxels")):
            pairs = [(f["painting"].reached.get(goal), f["tools"].reached.get(goal)) for f in figures]
            ratios = [t[n] / p[n] for p, t in pairs if p and t and p[n]]
            if ratios:
                spread = f"{min(ratios):.2f} to {max(ratios):.2f}, {len(ratios)} scans"
                print(f"to {goal}, {what}: {np.median(ratios):.2f} of painting alone ({spread})")


def _write(path: Path, figures: list[dict]) -> None:
    """What is known by now, to `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    plain = [{**f, "painting": vars(f["painting"]), "tools": vars(f["tools"])} for f in figures]
    path.write_text(json.dumps(plain, indent=1) + "\n")


def _line(painting: tuple[int, int] | None, tooled: tuple[int, int] | None) -> str:
    said = [
        f"{way} {there[0]} actions, {there[1]} voxels" if there else f"{way} not reached"
        for way, there in (("painting", painting), ("tools", tooled))
    ]
    return "; ".join(said)


if __name__ == "__main__":
    main()
