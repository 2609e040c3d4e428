"""Click a tumour: a click or a box gives its outline, more clicks refine it.

Patches around the click go through the tumour model (milliseconds); the marked region that the
click is on is the outline. Where the model marks nothing there, or a further click says that the
outline is wrong, *click to fix* decides (`corrections.click`), with the model's odds where it has any.
"""

from __future__ import annotations

from collections.abc import Sequence

import cc3d
import numpy as np
import torch

from napari_spineseg.core.checkpoint import LoadedModel
from napari_spineseg.core.device import choose_device, threads, threads_for_one_slice
from napari_spineseg.core.engine import engine_for
from napari_spineseg.core.resample import Window, interpolate_window
from napari_spineseg.core.sagittal import SagittalSlices
from napari_spineseg.corrections.click import Hints, Point, box_around, fix_by_click
from napari_spineseg.corrections.features import between_slices
from napari_spineseg.grid import Box
from napari_spineseg.scan import Scan
from napari_spineseg.tumours.outline import Outline

REACH_MM = 32.0
"""How far from the clicks the outline may reach, in the slice."""
_ACROSS_MM = 12.0
# Slices between predicted ones are interpolated.
_STEP_MM = 4.0
# What was computed for a click serves the next one, if that is so far inside, mm.
_STILL_INSIDE_MM = 18.0
# How likely tumour must be where one clicks, from sure to "the person must know".
_LIKELY = (0.5, 0.25, 0.1)
_SMALLEST_ML, _LARGEST_ML = 0.04, 60.0
# A person is right against a model that is sure: its odds are kept within what a click can turn.
_SWAYABLE = 0.15


class TumourClicks:
    """Answers clicks on one scan. Making it readies network and slices, so that clicks are quick.

    Parameters
    ----------
    scan
        Clicks are index coordinates (slice, row, column) of its sagittal view.
    model
        A tumour model.
    """

    def __init__(self, scan: Scan, model: LoadedModel, device: str = "auto") -> None:
        self.model = model
        self.device = choose_device(device)
        self.volume = scan.sagittal()
        self.spacing = scan.grid.to_orientation().grid.spacing
        self.slices = SagittalSlices(self.volume, self.spacing, model.card.input, self.device)
        middle = len(self.slices) // 2
        self._last: tuple[Box, np.ndarray] | None = None
        self._engine = engine_for(model, self.device, "auto", lambda: self.slices.stack([middle]))
        for index in range(len(self.slices)):
            self.slices.is_empty(index)  # prepares the slice, and keeps as many as memory is set aside for
        self._warm_up()

    def _warm_up(self) -> None:
        """Ask about places that nobody clicked on: what a processor does at first sight of a patch
        size (choosing kernels and threads) costs several times the answer."""
        middle = np.array(self.volume.shape) / 2
        # Windows are cut on the network's stride, so that their size depends on where one clicks.
        for share in (0.0, 0.5):
            self.probability(self._around([tuple(middle * (1 - 0.4 * share))]))

    def outline(
        self, hints: Hints, within: tuple[Point, Point] | None = None, current: Outline | None = None
    ) -> Outline:
        """The tumour that the clicks mean.

        Parameters
        ----------
        hints
            All clicks on it and beside it so far.
        within
            Two corners of a box that the person drew around it, instead of a first click.
        current
            What the clicks before the last one gave.
        """
        corners = list(within or ())
        points = [*hints.inside, *hints.outside, *corners]
        box, probability = self._seen(points)
        if within is not None and not hints.inside:
            centre = tuple(float(np.mean(pair)) for pair in zip(*within, strict=True))
            hints = Hints((centre,), hints.outside)
        marked = self._marked(probability, box, hints, within)
        if current is None and marked is not None and not hints.outside:
            return Outline(box, marked, True)
        fixed = self._fixed(box, probability, hints, current, marked, within)
        # What lies too far from the clicks to have been looked at stays as it was.
        return fixed.with_rest_of(current) if current else fixed

    def probability(self, box: Box) -> np.ndarray:
        """How likely each voxel of `box` is tumour, (shape of box) float32, 0 to 1."""
        step = max(1, round(_STEP_MM / self.spacing[0]))
        indices = sorted({*range(box[0].start, box[0].stop, step), box[0].stop - 1})
        window = self._window(box)
        images = self.slices.stack(indices, window)
        with torch.inference_mode(), threads(threads_for_one_slice()):
            logits = torch.cat([self._engine(image[None]) for image in images])
            probabilities = (logits / self.model.card.temperature).softmax(1)[:, 1:2].cpu()
        height, width = self.slices.size
        top, left = window.top, window.left
        in_plane = Window(box[1].start, box[1].stop, box[2].start, box[2].stop)
        probabilities = probabilities[:, :, : height - top, : width - left]
        planes = [
            interpolate_window(s, (top, left), self.slices.size, self.volume.shape[1:], in_plane)[0]
            for s in probabilities
        ]
        wanted = np.arange(box[0].start, box[0].stop)
        return between_slices(np.stack([plane.numpy() for plane in planes]), indices, wanted)

    def _seen(self, points: Sequence[Point]) -> tuple[Box, np.ndarray]:
        """A box around the points and its probability: that of the last click, where it will do."""
        if self._last is not None:
            box = self._last[0]
            margin = np.divide((0.0, _STILL_INSIDE_MM, _STILL_INSIDE_MM), self.spacing)
            low, high = np.min(points, 0), np.max(points, 0)
            fits = (
                (s.start == 0 or a - m >= s.start) and (s.stop == n or b + m <= s.stop - 1)
                for a, b, m, s, n in zip(low, high, margin, box, self.volume.shape, strict=True)
            )
            if all(fits):
                return self._last
        box = self._around(points)
        self._last = box, self.probability(box)
        return self._last

    def _around(self, points: Sequence[Point]) -> Box:
        low, high = np.min(points, 0), np.max(points, 0)
        reach = np.divide((_ACROSS_MM, REACH_MM, REACH_MM), self.spacing)
        return tuple(
            slice(max(0, int(a - r)), min(n, int(b + r) + 1))
            for a, b, r, n in zip(low, high, reach, self.volume.shape, strict=True)
        )

    def _window(self, box: Box) -> Window:
        """`box` on the network's grid, with a margin that the network sees but nobody asks for."""
        wanted = Window(box[1].start, box[1].stop, box[2].start, box[2].stop)
        on_grid = wanted.scaled(self.volume.shape[1:], self.slices.size)
        return on_grid.grown(8, 8, *self.slices.padded).aligned(self.model.card.input.stride)

    def _marked(
        self, probability: np.ndarray, box: Box, hints: Hints, within: tuple[Point, Point] | None
    ) -> np.ndarray | None:
        """The connected region that the clicks are on, at the first likelihood that has one."""
        voxel_ml = float(np.prod(self.spacing)) / 1000
        allowed = np.ones(probability.shape, bool) if within is None else self._inside(box, within)
        places = [tuple(_place(point, box, probability.shape)) for point in hints.inside]
        for least in _LIKELY:
            pieces = cc3d.connected_components((probability > least) & allowed, connectivity=6)
            wanted = {int(pieces[place]) for place in places} - {0}
            if not wanted and within is not None:
                wanted = _largest(pieces)
            mask = np.isin(pieces, list(wanted)) if wanted else None
            if mask is not None and _SMALLEST_ML <= mask.sum() * voxel_ml <= _LARGEST_ML:
                return mask
        return None

    def _inside(self, box: Box, within: tuple[Point, Point]) -> np.ndarray:
        """The voxels of a drawn box, a little more around it, and the slices beside it."""
        mask = np.zeros([s.stop - s.start for s in box], bool)
        low, high = np.min(within, 0), np.max(within, 0)
        margin = np.divide((_ACROSS_MM, 2.0, 2.0), self.spacing)
        mask[
            tuple(
                slice(max(0, int(np.floor(a - m)) - s.start), max(0, int(np.ceil(b + m)) + 1 - s.start))
                for a, b, m, s in zip(low, high, margin, box, strict=True)
            )
        ] = True
        return mask

    def _fixed(
        self,
        box: Box,
        probability: np.ndarray,
        hints: Hints,
        current: Outline | None,
        marked: np.ndarray | None,
        within: tuple[Point, Point] | None,
    ) -> Outline:
        """Click to fix, from what there is."""
        labels = np.zeros(probability.shape, np.uint16)
        if current is not None:
            current.paint(labels, box)
        elif marked is not None:
            labels[marked] = 1
        outside = list(hints.outside)
        if within is not None:
            outside += _corners(within)
        offset = np.array([s.start for s in box], float)
        local = Hints(
            tuple(tuple(np.subtract(p, offset)) for p in hints.inside),
            tuple(tuple(np.subtract(p, offset)) for p in outside),
        )
        image = np.asarray(self.volume[box], np.float32)
        odds = None
        if current is not None or marked is not None:
            # Where the model sees nothing that is clicked on, its word would only stand in the way.
            near = np.clip(
                probability[box_around(local, labels.shape, self.spacing)], _SWAYABLE, 1 - _SWAYABLE
            )
            odds = np.log(near / (1 - near))
        edit = fix_by_click(labels, image, 1, local, self.spacing, odds)
        edit.apply(labels)
        return Outline(box, _clicked(labels == 1, local.inside), False)


def _place(point: Point, box: Box, shape: tuple[int, ...]) -> np.ndarray:
    start = np.array([s.start for s in box])
    return np.clip(np.round(np.subtract(point, start)).astype(int), 0, np.array(shape) - 1)


def _largest(pieces: np.ndarray) -> set[int]:
    counts = np.bincount(pieces.ravel())
    counts[0] = 0
    return {int(counts.argmax())} if counts.any() else set()


def _clicked(mask: np.ndarray, inside: Sequence[Point]) -> np.ndarray:
    """The connected pieces of `mask` that a click is on; all of them, if no click is on any."""
    pieces = cc3d.connected_components(mask, connectivity=6)
    whole = tuple(slice(0, n) for n in mask.shape)
    wanted = {int(pieces[tuple(_place(point, whole, mask.shape))]) for point in inside} - {0}
    return np.isin(pieces, list(wanted)) if wanted else mask


def _corners(within: tuple[Point, Point]) -> list[Point]:
    """The corners of a drawn box and the middles of its sides, in its slice."""
    (index, top, left), (_, bottom, right) = np.min(within, 0), np.max(within, 0)
    rows, columns = (top, (top + bottom) / 2, bottom), (left, (left + right) / 2, right)
    return [
        (float(index), float(r), float(c))
        for i, r in enumerate(rows)
        for j, c in enumerate(columns)
        if (i, j) != (1, 1)
    ]
