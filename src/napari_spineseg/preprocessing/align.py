"""Align: bring a second sequence of the same visit onto the first one's grid.

Header geometry does most of it. The touch-up looks for the small rigid movement of a patient
between two sequences: mutual information (Mattes), coarse to fine, SimpleITK.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from napari_spineseg.errors import Stopped
from napari_spineseg.preprocessing.resample import respaced
from napari_spineseg.preprocessing.step import GeometricStep, Target, Tools
from napari_spineseg.progress import Control
from napari_spineseg.scan import Scan

_STAGE = "Aligning"
# A patient who lies still within one visit does not move further than this.
_FURTHEST_MM, _FURTHEST_DEGREES = 25.0, 12.0
# The search works on voxels of about this size.
_WORKING_MM = 1.5
_ITERATIONS = 60
_SHRINK = (4, 2, 1)
_SMOOTH_MM = (4.0, 2.0, 1.0)
_SAMPLED = 0.2
_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


class Align(GeometricStep):
    """Put the scan on another scan's grid, and move it rigidly so that both match."""

    title: ClassVar[str] = "Align"
    help: ClassVar[str] = "Bring a T1 onto the T2 of the same visit: by the headers, then a rigid touch-up."
    quick: ClassVar[bool] = False

    step: Literal["align"] = "align"
    reference: str = Field("", title="Reference", description="The scan to align to: a file or a layer")
    touch_up: bool = Field(
        True, title="Rigid touch-up", description="Also look for small movements between the two scans"
    )

    def target(self, scan: Scan, tools: Tools, control: Control) -> Target:
        """The reference's grid, and the movement that was found."""
        reference = tools.open_scan(self.reference)
        if not self.touch_up:
            return Target(reference.grid)
        moved, warning = rigid_movement(scan, reference, control)
        return Target(reference.grid, moved, (warning,) if warning else ())


def rigid_movement(scan: Scan, reference: Scan, control: Control) -> tuple[np.ndarray | None, str]:
    """(4, 4) RAS mm: where points of `scan` have to go to match `reference`; None to leave them.

    The second value says why nothing was moved, if so. Deterministic: one thread, a fixed seed.
    """
    import SimpleITK as sitk

    fixed, moving = _image(reference, control), _image(scan, control)
    transform = sitk.CenteredTransformInitializer(fixed, moving, sitk.Euler3DTransform())
    transform.SetTranslation((0.0, 0.0, 0.0))
    search = sitk.ImageRegistrationMethod()
    search.SetNumberOfThreads(1)
    search.SetMetricAsMattesMutualInformation(32)
    search.SetMetricSamplingStrategy(search.RANDOM)
    search.SetMetricSamplingPercentage(_SAMPLED, seed=7)
    search.SetInterpolator(sitk.sitkLinear)
    search.SetOptimizerAsRegularStepGradientDescent(
        learningRate=1.0, minStep=1e-3, numberOfIterations=_ITERATIONS, gradientMagnitudeTolerance=1e-6
    )
    search.SetOptimizerScalesFromPhysicalShift()
    search.SetShrinkFactorsPerLevel(_SHRINK)
    search.SetSmoothingSigmasPerLevel(_SMOOTH_MM)
    search.SetInitialTransform(transform, inPlace=True)
    watch = _Watch(search, control)
    search.AddCommand(sitk.sitkIterationEvent, watch.on_iteration)
    search.AddCommand(sitk.sitkMultiResolutionIterationEvent, watch.on_level)
    try:
        search.Execute(fixed, moving)
    except RuntimeError:
        watch.raise_stopped()
        # Nothing in common to look at: fields of view that do not meet, or an empty image.
        return None, "The two scans have too little in common to align, so only the headers were used."
    watch.raise_stopped()
    return _judged(transform, fixed)


def _judged(transform: Any, fixed: Any) -> tuple[np.ndarray | None, str]:
    """The movement, unless it is larger than a patient makes."""
    origin = np.array(transform.TransformPoint((0.0, 0.0, 0.0)))
    to_scan = np.eye(4)
    to_scan[:3, :3] = np.column_stack(
        [np.array(transform.TransformPoint(unit)) - origin for unit in np.eye(3).tolist()]
    )
    to_scan[:3, 3] = origin
    # It takes points of the reference to points of the scan, in LPS; we want the way back, in RAS.
    back = np.linalg.inv(to_scan)
    middle = np.array(fixed.TransformContinuousIndexToPhysicalPoint([n / 2 for n in fixed.GetSize()]))
    shift = float(np.linalg.norm(back[:3, :3] @ middle + back[:3, 3] - middle))
    angle = float(np.degrees(np.arccos(np.clip((np.trace(back[:3, :3]) - 1) / 2, -1, 1))))
    if shift > _FURTHEST_MM or angle > _FURTHEST_DEGREES:
        return None, (
            f"The touch-up would have moved the scan by {shift:.0f} mm and {angle:.0f}°, more than a patient "
            "moves; only the headers were used."
        )
    return _LPS @ back @ _LPS, ""


class _Watch:
    """Progress and stop for a SimpleITK search, whose callbacks may not raise."""

    def __init__(self, search: Any, control: Control) -> None:
        self._search, self._control = search, control
        self._level, self._iteration = -1, 0
        self._stopped: Stopped | None = None

    def on_level(self) -> None:
        self._level, self._iteration = self._level + 1, 0

    def on_iteration(self) -> None:
        self._iteration += 1
        done = max(self._level, 0) * _ITERATIONS + min(self._iteration, _ITERATIONS)
        try:
            self._control.step(_STAGE, done, _ITERATIONS * len(_SHRINK))
        except Stopped as stopped:
            self._stopped = stopped
            self._search.StopRegistration()

    def raise_stopped(self) -> None:
        if self._stopped is not None:
            raise self._stopped


def _image(scan: Scan, control: Control) -> Any:
    """A SimpleITK image (LPS) of a scan, in working resolution."""
    import SimpleITK as sitk

    from napari_spineseg.preprocessing.regrid import regrid

    grid = respaced(scan.grid, [max(mm, _WORKING_MM) for mm in scan.spacing])
    voxels = regrid(scan.voxels, scan.grid, grid, control=control)
    image = sitk.GetImageFromArray(np.ascontiguousarray(voxels.astype(np.float32).transpose(2, 1, 0)))
    affine = _LPS @ grid.affine
    image.SetSpacing(grid.spacing)
    image.SetOrigin(affine[:3, 3].tolist())
    image.SetDirection(_orthogonal(affine[:3, :3] / grid.spacing).ravel().tolist())
    return image


def _orthogonal(direction: np.ndarray) -> np.ndarray:
    """Without the rounding errors and slight shears of headers, which SimpleITK refuses."""
    left, _, right = np.linalg.svd(direction)
    return left @ right
