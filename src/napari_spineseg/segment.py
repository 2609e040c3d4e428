"""The main job: a scan in, its segmentation out. The widget, the command and the cluster all call this."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from napari_spineseg import __version__
from napari_spineseg.acquisition import doubt_about, refuse_endless
from napari_spineseg.anatomy import FIRST_TUMOUR_LABEL, Scheme, levels_to_structures
from napari_spineseg.anatomy_words import summarise
from napari_spineseg.models import ModelEntry, get_model, model_in_use
from napari_spineseg.models.loaded import loaded_model
from napari_spineseg.progress import Control
from napari_spineseg.scan import Scan, Segmentation

if TYPE_CHECKING:
    from napari_spineseg.core.checkpoint import ModelCard
    from napari_spineseg.core.predict import Prediction
    from napari_spineseg.instances import LevelResult
    from napari_spineseg.tumours import Finding


class SegmentSettings(BaseModel):
    """How to segment. The widget's form, the command's options and the provenance come from here."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = Field(
        default_factory=model_in_use,
        title="Model",
        description="Name of the model, or NAME@VERSION (see `spineseg models list`)",
    )
    scheme: Scheme = Field(
        "levels",
        title="Labels",
        description="levels: every vertebra and disc has its own number (1 = L5 and upward, 100 = canal, "
        "201 = L5/S1 and upward); structures: 1 vertebra, 2 disc, 3 canal, 4 tumour",
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = Field(
        "auto", title="Device", description="Where the network runs; auto takes a GPU where there is one"
    )
    mirror: bool = Field(
        False, title="Mirror", description="Average with mirrored passes: a bit better, several times slower"
    )
    uncertainty: bool = Field(
        False, title="Uncertainty", description="Also return how unsure the model is at each voxel (0 to 1)"
    )


# Held by the scan that the networks are looking at.
_looking = threading.Lock()
_WAIT_S = 0.1
_NO_SPINE = (
    "No spine was found in this scan, so the result is empty: it takes sagittal MR slices of a lumbar spine "
    "whose spacing is right."
)


@dataclass(frozen=True, eq=False)
class SegmentResult:
    """What came of segmenting a scan.

    Attributes
    ----------
    segmentation
        Labels on the scan's own grid, with provenance and warnings.
    uncertainty
        (i, j, k) float16, 0 sure to 1 unsure, on the scan's grid; None unless it was asked for.
    seconds
        Seconds a stage.
    summary
        In words: "L5–T11, 7 discs, canal".
    alternatives
        Other numberings that fit the scan, most likely first, as `instances` offers them.
    findings
        Tumours, where the model looks for them: place, size and confidence of each label from 301.
    """

    segmentation: Segmentation
    uncertainty: np.ndarray | None
    seconds: dict[str, float]
    summary: str
    alternatives: tuple[Any, ...] = field(default=())
    findings: tuple[Finding, ...] = field(default=())


def segment(
    scan: Scan, settings: SegmentSettings | None = None, control: Control | None = None
) -> SegmentResult:
    """Segment `scan`: predict structures, tell them apart, number them.

    What reading it and its geometry give cause to doubt is said to `control` before a network looks at it.

    Raises
    ------
    ScanError
        If the scan is metres long, so that its spacing cannot be true.
    ModelError
        If the model is unknown or damaged.
    SettingsError
        If the device is not there.
    Stopped
        If `control` said so; nothing was changed.
    """
    settings, control = settings or SegmentSettings(), control or Control()
    refuse_endless(scan.grid, scan.name)
    for sentence in filter(None, (*scan.warnings, doubt_about(scan.grid))):
        control.warn(sentence)
    clock = _Clock()
    with _alone(control, clock):
        seen = _look(scan, settings, control, clock)
    control.check()
    return _numbered(scan, seen, settings, clock)


@contextmanager
def _alone(control: Control, clock: _Clock) -> Iterator[None]:
    """Wait until no other scan is looked at: two would fight over processors and memory."""
    if not _looking.acquire(blocking=False):
        while not _looking.acquire(timeout=_WAIT_S):
            control.check()
        clock.lap("wait")
    try:
        yield
    finally:
        _looking.release()


@dataclass(frozen=True, eq=False)
class _Seen:
    """What the networks said; `companion` saw, and `counted` are, the levels that the model does not know."""

    model: ModelEntry
    card: ModelCard
    prediction: Prediction
    counted: LevelResult | None
    companion: ModelEntry | None


def _look(scan: Scan, settings: SegmentSettings, control: Control, clock: _Clock) -> _Seen:
    from napari_spineseg.core.predict import PredictOptions, predict
    from napari_spineseg.tumours.scan import finds_tumours, knows_anatomy

    entry = get_model(settings.model)
    model = loaded_model(entry)
    clock.lap("load model")
    # How sure it is of a tumour belongs to the finding.
    uncertainty = settings.uncertainty or finds_tumours(entry.structures)
    options = PredictOptions(device=settings.device, mirror=settings.mirror, uncertainty=uncertainty)
    if knows_anatomy(entry.structures):
        prediction = predict(scan, model, options, control)
        clock.lap("predict")
        return _Seen(entry, model.card, prediction, None, None)
    companion = anatomy_model()
    anatomy = predict(scan, loaded_model(companion), PredictOptions(device=settings.device), control)
    clock.lap("predict anatomy")
    # Counting keeps one core busy at most, so the other network need not wait for it.
    with ThreadPoolExecutor(1) as beside:
        counted = beside.submit(_count, scan, anatomy.structures)
        prediction = predict(scan, model, options, control)
        clock.lap("predict")
        return _Seen(entry, model.card, prediction, counted.result(), companion)


def _count(scan: Scan, structures: np.ndarray) -> LevelResult:
    """Tell vertebrae and discs apart and number them, in the sagittal view."""
    from napari_spineseg.instances import label_levels

    sagittal = scan.grid.to_orientation()
    return label_levels(sagittal.apply(structures), sagittal.grid.spacing)


def _numbered(scan: Scan, seen: _Seen, settings: SegmentSettings, clock: _Clock) -> SegmentResult:
    """Add tumours to the levels, and go back to the scan's grid."""
    from napari_spineseg.tumours.scan import WARNING, findings_in, finds_tumours, tumour_record

    prediction, doubt = seen.prediction, doubt_about(scan.grid)
    result = _count(scan, prediction.structures) if seen.counted is None else seen.counted
    labels, findings = result.levels, None
    if finds_tumours(seen.model.structures):
        found, findings = findings_in(
            prediction.structures,
            prediction.uncertainty,
            labels,
            scan.grid,
            result.numbering,
            odds=seen.card.finding_odds,
        )
        labels = np.where(found > 0, found, labels)
    there = np.unique(labels)
    # No model is validated on patients: what it marks may be none.
    possible = there[there >= FIRST_TUMOUR_LABEL] if findings is not None else ()
    summary = summarise(there, result.numbering, possible)
    labels = labels if settings.scheme == "levels" else levels_to_structures(labels)
    labels = np.ascontiguousarray(scan.grid.to_orientation().invert(labels).astype(np.uint16, copy=False))
    checksum = Segmentation(labels, scan.affine).checksum()
    clock.lap("number levels")
    segmentation = Segmentation(
        labels,
        scan.affine,
        name=f"{scan.name}_seg",
        scheme=settings.scheme,
        numbering=result.numbering,
        provenance=_provenance(scan, seen.model, settings, prediction, result, clock)
        | tumour_record(findings, seen.companion)
        | {"labels": checksum},
        warnings=(
            *((doubt,) if doubt else ()),
            *prediction.warnings,
            # Doubts about the levels mean nothing where there are none.
            *(result.warnings if labels.any() else (_NO_SPINE,)),
            *((WARNING,) if findings is not None else ()),
        ),
    )
    return SegmentResult(
        segmentation,
        prediction.uncertainty if settings.uncertainty else None,
        clock.laps,
        summary,
        tuple(result.alternatives),
        tuple(findings or ()),
    )


def anatomy_model() -> ModelEntry:
    """The model that numbers the levels for one that finds tumours only: the one in use, if it can."""
    from napari_spineseg.models import DEFAULT_MODEL
    from napari_spineseg.tumours.scan import knows_anatomy

    entry = get_model(None)
    return entry if knows_anatomy(entry.structures) else get_model(DEFAULT_MODEL)


def preview_slice(scan: Scan, settings: SegmentSettings, index: int) -> np.ndarray:
    """Structures of sagittal slice `index` alone: (height, width) uint8, `structures` scheme.

    Quick enough to follow a slider once the model is loaded. The slice is one of `scan.sagittal()`.
    """
    from napari_spineseg.core.predict import predict_slice

    return predict_slice(scan, loaded_model(get_model(settings.model)), index)


class _Clock:
    """Seconds since the last lap, by name."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.laps[stage] = round(now - self._last, 4)
        self._last = now


def _provenance(
    scan: Scan,
    entry: ModelEntry,
    settings: SegmentSettings,
    prediction: Prediction,
    result: LevelResult,
    clock: _Clock,
) -> dict[str, Any]:
    """Everything a reader needs to make the same segmentation again. JSON-able."""
    import torch

    return {
        "scan": {
            "name": scan.name,
            "source": str(scan.source) if scan.source else None,
            "sequence": scan.sequence,
        },
        "history": list(scan.history),
        "model": {"name": entry.name, "version": entry.version, "sha256": entry.sha256},
        "settings": settings.model_dump(mode="json"),
        "versions": {"spineseg": __version__, "torch": torch.__version__, "numpy": np.__version__},
        "device": prediction.device,
        "precision": prediction.precision,
        "numbering": {"lumbar": result.numbering.lumbar, "thoracic": result.numbering.thoracic},
        "alternatives": [str(alternative.description) for alternative in result.alternatives],
        "seconds": dict(clock.laps) | {f"predict: {stage}": s for stage, s in prediction.seconds.items()},
    }
