"""Carry over: what was corrected on a few slices, done to the slices between and beside them.

What a model gets wrong goes on from slice to slice: a border that lies a millimetre too far out does so
on the next slice too. So the outline that the model drew on an uncorrected slice is moved as it was
moved on the corrected slices around it: signed distances to the outline, after minus before, are
interpolated across slices and added to those of the model's outline (what Raya and Udupa, IEEE TMI 1990,
do with shapes, done with corrections). Near a corrected slice its shape counts for itself, moved as the
image moves from slice to slice.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import edt
import numpy as np
from scipy import ndimage

from napari_spineseg.anatomy import Scheme
from napari_spineseg.corrections.edit import Edit, Spacing, edit_to, join, nothing
from napari_spineseg.corrections.motion import Motion, Span
from napari_spineseg.corrections.restyle import restyled
from napari_spineseg.grid import Box
from napari_spineseg.progress import Control

STAGE = "Carrying over"
# A correction has died down to a third this far from the slice it was made on, mm, beyond the last one
# and between two alike; ...
_DIES_MM = 8.0
# ... and the corrected shape itself counts for a third at this distance; less where no image moves it along.
_SHAPE_MM, _SHAPE_UNMOVED_MM = 7.0, 3.0
# Outlines move no further than this by a correction alone, mm: what is missing altogether is for the shape.
_MOST_MM = 3.0
_KNOWN_MM = 3.0
_FAR_MM = 10.0
# Room around the outlines, mm, so that they can move.
_MARGIN_MM = 5.0


def carry_over(
    labels: np.ndarray,
    base: np.ndarray,
    corrected: Collection[int],
    spacing: Spacing,
    image: np.ndarray | None = None,
    control: Control | None = None,
    scheme: Scheme = "levels",
) -> Edit:
    """Correct the other slices as some slices were corrected.

    Only structures that were changed on a corrected slice change, and no voxel of another one. The
    corrected slices stay as they are. What comes of it depends on `base` and the corrected slices alone:
    it may be done again after each further slice.

    Parameters
    ----------
    labels
        (slices, rows, columns), as they are.
    base
        The same shape: as they were before anybody corrected them, on all slices.
    corrected
        The slices that are right now.
    spacing
        mm along the axes.
    image
        The same shape. Without it, or where slices are far apart, shapes stay where they are.
    scheme
        What the labels mean.

    Raises
    ------
    Stopped
        If `control` said so; nothing was changed.
    """
    control = control or Control()
    slices = sorted(corrected)
    changed = _changed(labels, base, slices)
    if not changed:
        return nothing("Correct a slice first: what was changed on it is carried over to the others.")
    control.step(STAGE, 0, len(labels))
    box = _box(labels, base, changed, slices, spacing)  # Of all that may have to go
    style = restyled(labels[box], base[box], slices, spacing, scheme, control)
    if style is not None:
        base = base.copy()
        base[box] = style
    motion = Motion(image, spacing, Span(*box[1:])) if image is not None else None
    outlines = [_Outline(label, labels[box], base[box], slices, spacing) for label in changed]
    parts = []
    for number in range(len(labels)):
        control.step(STAGE, number, len(labels))
        if number not in slices:
            heard = _Heard.by(number, slices, spacing[0], motion)
            before, now = (volume[number : number + 1, *box[1:]] for volume in (base, labels))
            after = _drawn(outlines, before[0], heard)[None].astype(now.dtype)
            parts.append(edit_to(now, after, (slice(number, number + 1), *box[1:])))
    control.step(STAGE, len(labels), len(labels))
    many = sum(len(part) > 0 for part in parts)
    if not many:
        return nothing("The other slices agree with the corrected ones already.")
    how = "" if style is None else ", in their style"
    words = f"Carried {_counted(len(slices), 'corrected slice')} over to {_counted(many, 'other')}{how}."
    return join(parts, words)


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def _changed(labels: np.ndarray, base: np.ndarray, slices: Sequence[int]) -> list[int]:
    """Structures that differ on the corrected slices."""
    found: set[int] = set()
    for number in slices:
        differs = labels[number] != base[number]
        found.update(np.unique(labels[number][differs]).tolist(), np.unique(base[number][differs]).tolist())
    return sorted(int(label) for label in found - {0})


def _box(
    labels: np.ndarray, base: np.ndarray, changed: Sequence[int], slices: Sequence[int], spacing: Spacing
) -> Box:
    """All slices, and the rows and columns in which the changed structures can be."""
    rows, columns = (np.zeros(size, bool) for size in labels.shape[1:])
    for plane in (*base, *(labels[number] for number in slices)):
        there = np.isin(plane, changed)
        rows |= there.any(1)
        columns |= there.any(0)
    return (
        slice(0, len(labels)),
        _span(rows, spacing[1], len(rows)),
        _span(columns, spacing[2], len(columns)),
    )


@dataclass(frozen=True)
class _Heard:
    """What an uncorrected slice hears of the corrected ones around it.

    Attributes
    ----------
    shares
        Corrected slice, its share, and where on it each pixel comes from, (2, rows, columns) or None.
    near
        mm to the nearest.
    moved
        Whether the image moves shapes along.
    """

    shares: tuple[tuple[int, float, np.ndarray | None], ...]
    near: float
    moved: bool

    @classmethod
    def by(cls, number: int, slices: Sequence[int], apart: float, motion: Motion | None) -> _Heard:
        below = max((n for n in slices if n < number), default=None)
        above = min((n for n in slices if n > number), default=None)
        if below is None or above is None:
            shares = {above if below is None else below: 1.0}
        else:
            shares = {below: (above - number) / (above - below), above: (number - below) / (above - below)}
        moves = motion is not None and motion.moves
        return cls(
            tuple((n, share, motion.from_to(n, number) if moves else None) for n, share in shares.items()),
            min(abs(number - n) for n in shares) * apart,
            moves,
        )


class _Outline:
    """One structure: how deep inside of it each pixel is, as it was said and as it is meant."""

    def __init__(
        self, label: int, labels: np.ndarray, base: np.ndarray, slices: Sequence[int], spacing: Spacing
    ) -> None:
        self.label, self._step = label, spacing[1:]
        there = (base == label).any(0) | (labels[slices] == label).any(0)
        self.span = tuple(
            _span(there.any(1 - axis), step, there.shape[axis]) for axis, step in enumerate(self._step)
        )
        self._meant = {n: self._depth(labels[n]) for n in slices}
        self._before = {n: self._depth(base[n]) for n in slices}
        self._overlooked = {n for n in slices if self._before[n].max() <= 0}

    def depth(self, said: np.ndarray, heard: _Heard) -> np.ndarray:
        """mm inside of where the outline belongs, (rows, columns) of `span`. `said`: labels of the slice."""
        shape, moved = 0.0, 0.0
        for number, share, motion in heard.shares:
            meant = self._meant[number]
            moved = moved + share * (meant - self._before[number])
            shape = shape + share * (meant if motion is None else _warped(meant, motion[:, *self.span]))
        dies = np.exp(-heard.near / _DIES_MM)
        own = np.exp(-heard.near / (_SHAPE_MM if heard.moved else _SHAPE_UNMOVED_MM))
        said_here = self._depth(said)
        if said_here.max() > 0 or any(number in self._overlooked for number, _, _ in heard.shares):
            # Of an outline that is further away, only that it is not here is known. Where the model knew the
            # structure on the corrected slices and sees none of it here, it ends before.
            said_here = np.clip(said_here, -_KNOWN_MM, _KNOWN_MM)
        return (1 - own) * (said_here + dies * np.clip(moved, -_MOST_MM, _MOST_MM)) + own * shape

    def _depth(self, plane: np.ndarray) -> np.ndarray:
        mask = np.ascontiguousarray(plane[self.span] == self.label)
        if not mask.any():
            return np.full(mask.shape, -_FAR_MM, np.float32)
        inside, outside = (edt.edt(m, anisotropy=self._step) for m in (mask, ~mask))
        return np.clip(inside - outside, -_FAR_MM, _FAR_MM)


def _drawn(outlines: Sequence[_Outline], said: np.ndarray, heard: _Heard) -> np.ndarray:
    """A slice drawn anew: (rows, columns). Where several outlines hold a pixel, the deepest has it."""
    after, best = said.copy(), np.zeros(said.shape, np.float32)
    after[np.isin(said, [outline.label for outline in outlines])] = 0
    free = after == 0
    for outline in outlines:
        depth = outline.depth(said, heard)
        wins = (depth > best[outline.span]) & free[outline.span]
        best[outline.span][wins] = depth[wins]
        after[outline.span][wins] = outline.label
    return after


def _warped(values: np.ndarray, motion: np.ndarray) -> np.ndarray:
    """`values`, (rows, columns), taken from where `motion` says."""
    place = motion + np.indices(values.shape, np.float32, sparse=False)
    return ndimage.map_coordinates(values, place, order=1, mode="nearest")


def _span(used: np.ndarray, step: float, size: int) -> slice:
    """Around what is used, with room for outlines to move."""
    at, margin = np.flatnonzero(used), int(np.ceil(_MARGIN_MM / step))
    return slice(max(0, int(at[0]) - margin), min(size, int(at[-1]) + margin + 1))
