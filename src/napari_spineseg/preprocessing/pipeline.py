"""Steps in order: applied, recorded, done again, undone, and their geometry inverted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from napari_spineseg.errors import SettingsError
from napari_spineseg.preprocessing.align import Align
from napari_spineseg.preprocessing.clahe import Clahe
from napari_spineseg.preprocessing.clip import Clip
from napari_spineseg.preprocessing.crop import Crop
from napari_spineseg.preprocessing.match import HistogramMatch
from napari_spineseg.preprocessing.n4 import N4
from napari_spineseg.preprocessing.nlm import NonLocalMeans
from napari_spineseg.preprocessing.published_slices import PublishedSlices
from napari_spineseg.preprocessing.reorient import Reorient
from napari_spineseg.preprocessing.resample import Resample
from napari_spineseg.preprocessing.resample_like import ResampleLike
from napari_spineseg.preprocessing.spine_crop import CropToSpine
from napari_spineseg.preprocessing.step import NO_TOOLS, GeometricStep, Step, Tools
from napari_spineseg.preprocessing.tv import TotalVariation
from napari_spineseg.preprocessing.zscore import ZScore
from napari_spineseg.progress import Control, Progress
from napari_spineseg.scan import Scan, Segmentation

STEPS: tuple[type[Step], ...] = (
    Reorient,
    Crop,
    CropToSpine,
    Resample,
    ResampleLike,
    Align,
    N4,
    NonLocalMeans,
    TotalVariation,
    Clip,
    ZScore,
    HistogramMatch,
    Clahe,
    PublishedSlices,
)
"""Every step there is, in the order that lists show them. A new step is one line here and below."""

AnyStep = Annotated[
    Reorient
    | Crop
    | CropToSpine
    | Resample
    | ResampleLike
    | Align
    | N4
    | NonLocalMeans
    | TotalVariation
    | Clip
    | ZScore
    | HistogramMatch
    | Clahe
    | PublishedSlices,
    Field(discriminator="step"),
]

History = Sequence[Mapping[str, Any]]


def step_named(name: str) -> type[Step]:
    """The class of a step.

    Raises
    ------
    SettingsError
        If there is none of that name.
    """
    for kind in STEPS:
        if name == name_of(kind):
            return kind
    raise SettingsError(f"There is no step {name!r}; the steps are {', '.join(map(name_of, STEPS))}.")


def name_of(kind: type[Step]) -> str:
    """What a step is called in files and commands."""
    return kind.model_fields["step"].default


class Pipeline(BaseModel):
    """A recipe: steps in the order in which they are applied.

    Examples
    --------
    >>> Pipeline(steps=[{"step": "clip"}, {"step": "zscore"}]).steps[0].upper_percent
    99.5
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field("", title="Name")
    about: str = Field("", title="About", description="What it is for, in a sentence")
    steps: tuple[AnyStep, ...] = Field((), title="Steps")

    def __call__(self, scan: Scan, tools: Tools = NO_TOOLS, control: Control = Control()) -> Scan:
        """Apply every step to `scan`, which stays as it is.

        Raises
        ------
        SettingsError
            If a step does not fit the scan.
        Stopped
            If `control` said so.
        """
        for number, step in enumerate(self.steps, start=1):
            scan = step(scan, tools, _numbered(control, number, len(self.steps)))
        return scan


def _numbered(control: Control, number: int, steps: int) -> Control:
    """A control that says which step of how many its stages belong to."""
    if steps == 1:
        return control

    def pass_on(progress: Progress) -> None:
        control.step(f"{progress.stage} ({number} of {steps})", progress.done, progress.total)

    return Control(pass_on)


def replay(scan: Scan, history: History, control: Control = Control()) -> Scan:
    """Do the steps of a history to `scan` once more, with what was measured then.

    Neither the references nor the model that the steps asked are needed.
    """
    for step, entry in _entries(history):
        scan = step.again(scan, entry["measured"], control)
    return scan


def undo(scan: Scan, original: Scan, steps: int = 1, control: Control = Control()) -> Scan:
    """`scan` without its last steps.

    Parameters
    ----------
    original
        What `scan` was made from, before any of the steps that its own history does not have.

    Raises
    ------
    SettingsError
        If `scan` was not made from `original`.
    """
    done = len(original.history)
    if tuple(scan.history[:done]) != tuple(original.history):
        raise SettingsError(f"{scan.name} was not made from {original.name}, so its steps cannot be undone.")
    return replay(original, scan.history[done : max(done, len(scan.history) - steps)], control)


def carry(segmentation: Segmentation, history: History, control: Control = Control()) -> Segmentation:
    """Labels of a scan, on the grid that the scan has after the steps of `history`."""
    for step, entry in _entries(history):
        if isinstance(step, GeometricStep):
            segmentation = step.carry(segmentation, entry["measured"], control)
    return segmentation


def bring_back(segmentation: Segmentation, history: History, control: Control = Control()) -> Segmentation:
    """Labels of a preprocessed scan, on the grid that the scan had before the steps of `history`.

    Exact where steps only cropped or turned the scan; what was cropped away is background.

    Raises
    ------
    SettingsError
        If the segmentation is not on the grid that the history leads to.
    """
    moves = [(s, e) for s, e in _entries(history) if isinstance(s, GeometricStep)]
    for step, entry in reversed(moves):
        expected = entry["measured"]["to"]
        fits = list(segmentation.labels.shape) == list(expected["shape"]) and np.allclose(
            segmentation.affine, expected["affine"], atol=1e-3
        )
        if not fits:
            raise SettingsError(
                f"{segmentation.name} is not on the grid of the preprocessed scan, so it cannot go back."
            )
        segmentation = step.bring_back(segmentation, entry["measured"], control)
    return segmentation


def _entries(history: History) -> Iterator[tuple[Step, Mapping[str, Any]]]:
    for entry in history:
        yield make_step(str(entry["step"]), entry["settings"]), entry


def make_step(name: str, settings: Mapping[str, Any]) -> Step:
    """A step from its name and settings.

    Raises
    ------
    SettingsError
        If there is no such step, or a setting is unknown or out of range.
    """
    try:
        return step_named(name)(**settings)
    except ValidationError as error:
        raise SettingsError(f"Step {name}: {said(error)}.") from None


def said(error: ValidationError) -> str:
    """What pydantic found first, with the setting's name."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    what = first["msg"].removeprefix("Value error, ")
    return f"{where}: {what}" if where else what
