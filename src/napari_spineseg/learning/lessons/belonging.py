"""Whether labels and image belong together: corrections that do not are refused, with one sentence.

That is asked in two ways:

- The parent's view. Where it sees a spine, labels lie on it, and do not fit it better when they are moved.
- The image's. Labels in place explain more of the grey values in and around them (as variance between
  classes) than the same labels do when moved by 4 to 10 mm or by a slice. That holds for contrasts that
  the parent is blind to: measured on 30 scans of five kinds, true labels peaked within 2 mm in every one.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
from scipy import fft, ndimage

from napari_spineseg.datasets.crops import UNLABELLED
from napari_spineseg.learning.lessons.lesson import Lesson, Predict

Shift = tuple[float, float, float]
"""mm to the right, downward, to the back."""

# Slices are compared about this far apart, pixels at this size.
_SLICE_MM, _COARSE_MM = 3.5, 2.0
# Shifts up to this are a matter of how an outline was drawn; how far others are looked for, in the plane.
_TOLERATED_MM, _NEAR_MM, _FAR_MM = 3.0, 10.0, 24.0
_SLICES_AWAY = 2
# The parent must see this much of what is labelled to have a say. It says that labels lie right where moving
# them gains hardly anything, and that they lie wrong where it gains so much (by a slice: so much).
_SEEN, _SAME_OVERLAP, _MORE_OVERLAP, _MORE_OVERLAP_BESIDE = 0.4, 0.015, 0.06, 0.02
# The image says that labels lie wrong where moved ones explain so many times as much, and right where none do
# and they explain this share of its variance.
_BETTER, _BETTER_BESIDE, _EXPLAINED = 1.08, 1.04, 0.06


def objection_to_lesson(lesson: Lesson, parent: Predict) -> str | None:
    """Why image and labels do not belong together, in one sentence; None where nothing speaks against it."""
    if not lesson.labelled_slices:
        return "Its labels hold nothing that this model knows."
    volume = lesson.volume
    stride = max(1, round(_SLICE_MM / volume.slice_mm))
    first, last = lesson.labelled_slices[0], lesson.labelled_slices[-1]
    slices = list(range(first % stride, len(volume.values), stride))
    slices = [i for i in slices if first - 2 * stride <= i <= last + 2 * stride]
    step = max(1, round(_COARSE_MM / volume.spacing_mm))
    truth = volume.structures[slices][:, ::step, ::step]
    seen = parent(volume, slices)[:, ::step, ::step]
    image = np.stack([ndimage.uniform_filter(s.astype(np.float32), step) for s in volume.values[slices]])
    spacing = (stride * volume.slice_mm, step * volume.spacing_mm)
    return next(_misfits(image[:, ::step, ::step], truth, seen, spacing), None)


def _misfits(
    image: np.ndarray, truth: np.ndarray, seen: np.ndarray, spacing: tuple[float, float]
) -> Iterator[str]:
    """Sentences about labels and image that do not belong together.

    image, truth, seen: (slices, rows, columns); spacing: mm between slices and between pixels.
    """
    share, most, move = evidence(image, truth, spacing)
    if _length(move) <= _TOLERATED_MM and share > _EXPLAINED:
        return
    here, best, shift = overlap(truth, seen, spacing)
    if here > _SEEN and best <= here + _SAME_OVERLAP:
        return
    more = _MORE_OVERLAP if _in_plane(shift) else _MORE_OVERLAP_BESIDE
    if best > max(_SEEN, here + more) and _length(shift) > _TOLERATED_MM:
        yield f"Its labels lie beside what they label: they would fit if moved {_say(shift)}."
    if most > (_BETTER if _in_plane(move) else _BETTER_BESIDE) * share and _length(move) > _TOLERATED_MM:
        yield (
            "Its labels do not belong to this image, or lie beside what they label: they would explain it "
            f"better if moved {_say(move)}."
        )
    if share < _EXPLAINED and here < _SEEN:
        yield "Its labels have nothing to do with this image."


def overlap(truth: np.ndarray, seen: np.ndarray, spacing: tuple[float, float]) -> tuple[float, float, Shift]:
    """Dice of labels and parent over all classes as they lie, the best one of moved labels, and that move."""
    truth = np.where(truth == UNLABELLED, 0, truth)
    numbers = np.unique(truth[truth > 0])
    seen = np.where(np.isin(seen, numbers), seen, 0)
    total = max(1, int((truth > 0).sum() + (seen > 0).sum()))
    in_plane = 2 * _correlation(truth, seen, numbers, round(_FAR_MM / spacing[1])) / total
    reach = len(in_plane) // 2
    down, back = np.unravel_index(int(in_plane.argmax()), in_plane.shape)
    found = {(0.0, (down - reach) * spacing[1], (back - reach) * spacing[1]): float(in_plane.max())}
    for away in _beside(len(truth)):
        moved, there = _slices_apart(truth, seen, away)
        both = ((moved == there) & (moved > 0)).sum()
        found[away * spacing[0], 0.0, 0.0] = 2 * float(both) / total
    shift = max(found, key=found.__getitem__)
    return float(in_plane[reach, reach]), found[shift], shift


def _correlation(truth: np.ndarray, seen: np.ndarray, numbers: np.ndarray, reach: int) -> np.ndarray:
    """(2 reach + 1, 2 reach + 1): pixels of one class in both, for each move of `truth`."""
    size = [fft.next_fast_len(n + 2 * reach) for n in truth.shape[1:]]
    both = np.zeros(size)
    for number in numbers:
        ours, theirs = (fft.rfft2((a == number).astype(np.float32), size) for a in (truth, seen))
        both += fft.irfft2((theirs * ours.conj()).sum(0), size)
    return np.roll(both, (reach, reach), (0, 1))[: 2 * reach + 1, : 2 * reach + 1]


def evidence(
    image: np.ndarray, truth: np.ndarray, spacing: tuple[float, float]
) -> tuple[float, float, Shift]:
    """Share of grey variance that labels explain as they lie, the most when they are moved, and that move."""
    known = np.where(truth == UNLABELLED, 0, truth)
    labelled = np.flatnonzero(known.any((1, 2)))
    near = np.zeros(known.shape, bool)
    for index in labelled:
        near[index] = ndimage.distance_transform_edt(known[index] == 0) * spacing[1] < _NEAR_MM
    places = np.nonzero(near)
    labels = known[places].astype(int)
    reach = round(_NEAR_MM / spacing[1])
    moves = [(0, d, b) for d, b in product(range(-reach, reach + 1), repeat=2)]
    moves += [(away, 0, 0) for away in _beside(len(truth))]
    found = {move: _explained(image, places, labels, move) for move in moves}
    best = max(found, key=found.__getitem__)
    shift = (best[0] * spacing[0], best[1] * spacing[1], best[2] * spacing[1])
    return found[0, 0, 0], found[best], shift


def _explained(
    image: np.ndarray, places: tuple[np.ndarray, ...], labels: np.ndarray, move: tuple[int, int, int]
) -> float:
    """Variance between classes over all variance, slice by slice, of labels moved by some voxels."""
    moved = [axis + n for axis, n in zip(places, move, strict=True)]
    inside = np.all([(a >= 0) & (a < n) for a, n in zip(moved, image.shape, strict=True)], axis=0)
    slices, labels = moved[0][inside], labels[inside]
    if len(labels) < 0.6 * len(inside):
        return 0.0
    values = image[slices, moved[1][inside], moved[2][inside]].astype(np.float64)
    means = np.bincount(slices, values) / np.maximum(np.bincount(slices), 1)
    values -= means[slices]
    groups = slices * 8 + labels
    between = (np.bincount(groups, values) ** 2 / np.maximum(np.bincount(groups), 1)).sum()
    total = float((values**2).sum())
    return float(between) / total if total else 0.0


def _beside(slices: int) -> list[int]:
    return [n for n in range(-_SLICES_AWAY, _SLICES_AWAY + 1) if n and slices > 2 * _SLICES_AWAY]


def _slices_apart(truth: np.ndarray, seen: np.ndarray, away: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels moved by `away` slices, and what is seen where they come to lie."""
    return (truth[:-away], seen[away:]) if away > 0 else (truth[-away:], seen[:away])


def _in_plane(shift: Shift) -> bool:
    return bool(shift[1] or shift[2])


def _length(shift: Shift) -> float:
    return float(np.linalg.norm(shift))


def _say(shift: Shift) -> str:
    ways = (("to the right", "to the left"), ("down", "up"), ("back", "forward"))
    moved = [(mm, way[int(mm < 0)]) for mm, way in zip(shift, ways, strict=True) if abs(mm) >= 1]
    return " and ".join(f"{abs(mm):.0f} mm {way}" for mm, way in moved)
