"""Figures of a tumour model: at patches, over whole slices, and tumour by tumour."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from napari_spineseg.anatomy import FIRST_TUMOUR_LABEL, Numbering
from napari_spineseg.core.checkpoint import LoadedModel
from napari_spineseg.core.predict import PredictOptions, predict
from napari_spineseg.datasets.prepared import PreparedVolume
from napari_spineseg.learning.chen2024.settings import MeasureSettings
from napari_spineseg.learning.recipe import find_recipe, read_recipe
from napari_spineseg.learning.tumour.cases import Case, cases
from napari_spineseg.learning.tumour.figures import figures_of, patch_figures
from napari_spineseg.learning.tumour.patch import PatchSettings
from napari_spineseg.learning.tumour.patches import PatchSampler
from napari_spineseg.learning.tumour.pretrain import split
from napari_spineseg.learning.tumour.recipe import TumourSettings
from napari_spineseg.progress import Control
from napari_spineseg.synthesis.lesions import HELD_OUT_FORMS, TRAINING_FORMS
from napari_spineseg.tumours import FindSettings
from napari_spineseg.tumours.scan import findings_in

PUBLISHED = {
    "precision": 0.906,
    "recall": 0.911,
    "accuracy": 0.932,
    "f1": 0.913,
    "iou": 0.838,
    "dice": 0.911,
}
"""Chen et al. 2024, J Bone Oncol 49, 100649: contrast-enhanced T1 of patients; the split is not published."""
# A tumour is found where a finding covers at least this share of it.
FOUND = 0.1
_PATCH_SEED, _PATCH_MM = 777, 58.0


@dataclass
class Tally:
    """Counts over scans."""

    pixels: np.ndarray = field(default_factory=lambda: np.zeros(4))
    lesions: int = 0
    found: int = 0
    false: int = 0
    scans: int = 0
    volume_errors: list[float] = field(default_factory=list)
    dice: list[float] = field(default_factory=list)

    def figures(self) -> dict[str, Any]:
        """JSON-able; what cannot be known is None."""
        out: dict[str, Any] = dict(figures_of(*self.pixels)) if self.lesions else {}
        errors = self.volume_errors
        return out | {
            "scans": self.scans,
            "lesions": self.lesions,
            "lesion_sensitivity": round(self.found / self.lesions, 4) if self.lesions else None,
            "false_per_scan": round(self.false / self.scans, 3) if self.scans else None,
            "lesion_dice": round(float(np.median(self.dice)), 4) if self.dice else None,
            "volume_error": round(float(np.median(np.abs(errors))), 4) if errors else None,
        }


def held_out(prepared: Path) -> list[PreparedVolume]:
    """Volumes of patients that the bundled model never saw."""
    return split(read_recipe(find_recipe("tumour"), TumourSettings), prepared)[1]


def patch_level(model: LoadedModel, volumes: list[PreparedVolume], settings: MeasureSettings) -> dict:
    """Class-balanced patches of about 58 mm around tumours, their borders and look-alikes."""
    forms = HELD_OUT_FORMS if settings.held_out_forms else TRAINING_FORMS
    spec = model.card.input
    patches = PatchSettings(
        pixel_mm=spec.spacing_mm,
        sizes_px=(spec.pixels_of(_PATCH_MM),),
        forms=forms,
        tumour_share=0.5,
        border_share=0.25,
        hard_share=0.25,
    )
    sampler = PatchSampler(volumes, patches, _PATCH_SEED + settings.first_seed)
    batches = (sampler.draw(step, 16) for step in range(settings.batches))
    return patch_figures(model.network, batches)


def scan_level(
    model: LoadedModel,
    volumes: list[PreparedVolume],
    settings: MeasureSettings,
    find: FindSettings | None = None,
    tumours: bool = True,
    control: Control = Control(),
) -> dict[str, Any]:
    """Figures over whole scans, all together and by contrast."""
    forms = HELD_OUT_FORMS if settings.held_out_forms else TRAINING_FORMS
    tallies: dict[str, Tally] = {"all": Tally()}
    seeds = range(settings.first_seed, settings.first_seed + settings.seeds)
    total = sum(2 if v.kind == "image" else 3 for v in volumes) * len(seeds)
    every = (case for seed in seeds for case in cases(volumes, seed, forms, tumours))
    for done, case in enumerate(every):
        structures, uncertainty = look_at(case, model, settings.device)
        both = [tallies["all"], tallies.setdefault(case.look, Tally())]
        count(case, structures, uncertainty, both, find, model.card.finding_odds)
        control.step("Measuring scans", done + 1, total)
    return {name: tally.figures() for name, tally in tallies.items()}


def look_at(case: Case, model: LoadedModel, device: str = "cpu") -> tuple[np.ndarray, np.ndarray]:
    """Structures and uncertainty of a case on its own grid."""
    options = PredictOptions(device=device, uncertainty=True)
    prediction = predict(case.scan, model, options)
    return prediction.structures, prediction.uncertainty


def count(
    case: Case,
    structures: np.ndarray,
    uncertainty: np.ndarray,
    tallies: Iterable[Tally],
    find: FindSettings | None = None,
    odds: tuple[float, float] | None = None,
) -> None:
    """Add one case to tallies."""
    scan = case.scan
    labels, findings = findings_in(structures, uncertainty, case.levels, scan.grid, Numbering(), find, odds)
    found, truth = labels > 0, case.tumours > 0
    pixels = [(found & truth).sum(), (found & ~truth).sum(), (~found & truth).sum(), (~found & ~truth).sum()]
    settings = find or FindSettings()
    least = settings.least_ml / scan.grid.voxel_ml
    false = sum(not truth[labels == f.label].any() for f in findings)
    for tally in tallies:
        tally.scans += 1
        tally.pixels += np.array(pixels, float)
        tally.false += false
        for number in range(1, int(case.tumours.max()) + 1):
            mine = case.tumours == number
            if mine.sum() < least:
                continue
            tally.lesions += 1
            hits = labels[mine]
            if (hits > 0).mean() < FOUND:
                continue
            tally.found += 1
            # Two tumours that were found as one share its volume; each is scored on its own part.
            of = np.isin(labels, np.unique(hits[hits >= FIRST_TUMOUR_LABEL])) & ~(truth & ~mine)
            tally.volume_errors.append(float(of.sum() / mine.sum() - 1))
            tally.dice.append(float(2 * (of & mine).sum() / (of.sum() + mine.sum())))
