"""What a recipe makes of one sagittal slice, without working through the whole scan.

Steps at the end of a recipe that change slices one by one, or only move voxels, are done on the
few slices that the one in question needs. What they read off a scan (percentiles, noise) is read
off all of it for the first of them, and off a few slices of what it made for those that follow:
close to, not exactly, what the whole recipe measures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_spineseg.errors import SettingsError
from napari_spineseg.grid import Grid
from napari_spineseg.preprocessing.boxes import cropped
from napari_spineseg.preprocessing.step import (
    NO_TOOLS,
    GeometricStep,
    Measured,
    Step,
    Tools,
    grid_from_json,
    grid_to_json,
)
from napari_spineseg.progress import Control
from napari_spineseg.scan import Scan

# So many slices stand for the scan when a later step measures what earlier ones made of it.
_FEW = 5
# A geometric step that makes more than this many times the voxels is left out of those few.
_GROWTH = 4


@dataclass(frozen=True, eq=False)
class Draft:
    """Steps that are ready to be shown on any slice of `base`.

    Attributes
    ----------
    base
        What the steps before them made of the scan.
    measured
        What each step reads off its scan.
    grids
        The whole grid after each step.
    """

    base: Scan
    steps: tuple[Step, ...]
    measured: tuple[Measured, ...]
    grids: tuple[Grid, ...]

    @property
    def grid(self) -> Grid:
        """The whole grid after the last step."""
        return self.grids[-1] if self.grids else self.base.grid

    def slice_at(self, point: np.ndarray, control: Control = Control()) -> Scan | None:
        """The sagittal slice nearest to `point`, as a scan of one slice; None if it was cut away.

        Parameters
        ----------
        point
            (3,) RAS mm, the middle of the slice before.
        """
        wanted = _slice_through(self.grid, point)
        if wanted is None:
            return None
        slab = _part(self.base, self.base.grid, wanted)
        for step, measured, grid in zip(self.steps, self.measured, self.grids, strict=True):
            if isinstance(step, GeometricStep):
                measured = {**measured, "to": grid_to_json(_around(grid, wanted))}
            slab = step.change(slab, measured, control)
        return _exactly(slab, wanted)


def done_whole(steps: Sequence[Step]) -> int:
    """How many of the first steps need the whole scan: up to the last that looks across slices or is slow."""
    alone = [step.slicewise or (isinstance(step, GeometricStep) and step.quick) for step in steps]
    return max((number for number, one in enumerate(alone, start=1) if not one), default=0)


def draft(base: Scan, steps: Sequence[Step], tools: Tools = NO_TOOLS, control: Control = Control()) -> Draft:
    """Measure what `steps` need, none of which `done_whole` may count.

    Raises
    ------
    SettingsError
        If a step does not fit the scan.
    """
    grid, few = base.grid, base
    measured, grids = [], []
    for number, step in enumerate(steps):
        if isinstance(step, GeometricStep):
            found = step.measure(_ghost(base, grid), tools, control)
            grid = grid_from_json(found["to"])
        else:
            found = step.measure(few, tools, control)
        measured.append(found)
        grids.append(grid)
        if any(not isinstance(later, GeometricStep) for later in steps[number + 1 :]):
            few = _roughly(_few_of(few), step, found, tools, control)
        control.check()
    return Draft(base, tuple(steps), tuple(measured), tuple(grids))


def _ghost(scan: Scan, grid: Grid) -> Scan:
    """A scan on `grid` whose voxels take no memory, for steps that look at the grid alone."""
    nothing = np.broadcast_to(np.zeros((), scan.voxels.dtype), grid.shape)
    return scan.with_voxels(nothing, affine=grid.affine)


def _few_of(scan: Scan) -> Scan:
    """Some slices of a scan, evenly apart."""
    turn = scan.grid.to_orientation()
    view = scan.sagittal()
    step = -(-len(view) // _FEW)
    if step == 1:
        return scan
    first = (len(view) - 1) % step // 2
    affine = np.array(turn.grid.affine)
    affine[:3, 3] += affine[:3, 0] * first
    affine[:3, 0] *= step
    return scan.with_voxels(view[first::step], affine=affine)


def _roughly(few: Scan, step: Step, measured: Measured, tools: Tools, control: Control) -> Scan:
    """What `step` makes of a few slices; them as they are, where the step is about more than those."""
    if not isinstance(step, GeometricStep):
        return step.change(few, measured, control)
    try:
        own = step.measure(few, tools, control)
    except SettingsError:  # a crop that leaves slices of the scan, but none of these
        return few
    if np.prod(own["to"]["shape"], dtype=float) > _GROWTH * few.voxels.size:
        return few
    return step.change(few, own, control)


def _slice_through(grid: Grid, point: np.ndarray) -> Grid | None:
    """The sagittal slice of `grid` nearest to a point (RAS mm)."""
    view = grid.to_orientation().grid
    index = round(float((np.linalg.inv(view.affine) @ (*point, 1.0))[0]))
    if not 0 <= index < view.shape[0]:
        return None
    return cropped(grid, ((index, index + 1), (0, view.shape[1]), (0, view.shape[2])))


def _around(grid: Grid, wanted: Grid) -> Grid:
    """The slices of `grid` that those of `wanted` may be interpolated from."""
    view = grid.to_orientation().grid
    corners = np.array(np.meshgrid(*[(-0.5, n - 0.5) for n in wanted.shape], indexing="ij")).reshape(3, -1)
    corners = wanted.affine[:3, :3] @ corners + wanted.affine[:3, 3:]
    index = (np.linalg.inv(view.affine) @ np.vstack([corners, np.ones(corners.shape[1])]))[0]
    # The cubic kernel reaches two voxels of the coarser grid.
    thickness = wanted.to_orientation().grid.spacing[0]
    reach = int(np.ceil(2 * max(1.0, thickness / view.spacing[0]))) + 1
    first = int(np.clip(np.floor(index.min()) - reach, 0, view.shape[0] - 1))
    stop = int(np.clip(np.ceil(index.max()) + reach + 1, first + 1, view.shape[0]))
    return cropped(grid, ((first, stop), (0, view.shape[1]), (0, view.shape[2])))


def _part(scan: Scan, grid: Grid, wanted: Grid) -> Scan:
    """The slab of `scan` around `wanted`; a view where numpy allows."""
    return _exactly(scan, _around(grid, wanted))


def _exactly(scan: Scan, part: Grid) -> Scan:
    """The voxels of `part`, which is a part of the scan's grid."""
    start = np.rint((np.linalg.inv(scan.affine) @ part.affine)[:3, 3]).astype(int)
    window = tuple(slice(int(s), int(s) + n) for s, n in zip(start, part.shape, strict=True))
    return scan.with_voxels(scan.voxels[window], affine=part.affine)
