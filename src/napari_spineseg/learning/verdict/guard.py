"""The guard set: bundled scans that stand for what the parent could do.

The three sample phantoms (T1, T2, STIR), and two phantoms that replay never shows, drawn in six
contrasts three times each. All have exact labels; none is ever learnt from. What a candidate loses
differs from contrast to contrast: with fewer drawn, the mean's interval was wider than what the gate allows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from napari_spineseg.core.inputs import InputSpec, neighbour_indices
from napari_spineseg.corrections.entry import structures_of
from napari_spineseg.datasets.prepared import PreparedVolume, resized, resized_labels, windowed
from napari_spineseg.io import read_scan, read_segmentation
from napari_spineseg.learning.reading import Reader, evenly
from napari_spineseg.learning.stages.replay import guard_maps
from napari_spineseg.learning.verdict.scores import Tally, tally
from napari_spineseg.sample_data import LABELS, sample_path
from napari_spineseg.synthesis.contrast import draw_look, render

_LOOKS = ("T1", "T2", "STIR", "water", "in phase", "Gd T1")
_DRAWN_EACH = 3
_SLICES_A_SAMPLE = 4
_SLICES_A_LOOK = 2
# Noise of the drawn scans, where 1 is the brightest tissue.
_NOISE = 0.03


@dataclass(frozen=True, eq=False)
class GuardScan:
    """A scan and the slices of it that are looked at.

    Attributes
    ----------
    often
        Whether it is looked at for the curves too.
    """

    volume: PreparedVolume
    slices: list[int]
    often: bool = True


def guard_scans(spec: InputSpec, table: np.ndarray) -> list[GuardScan]:
    """The guard set on the network's grid, `structures` in its classes; the same every time."""
    return [*_samples(spec, table), *_drawn(spec, table)]


def guard_tally(reader: Reader, scans: list[GuardScan], titles: dict[int, str], quick: bool = False) -> Tally:
    """What a network scores on the guard; `quick` looks at one slice of some scans, for the curve."""
    parts = []
    for scan in (scan for scan in scans if scan.often or not quick):
        slices = evenly(scan.slices, 1) if quick else scan.slices
        seen = reader.all_classes(scan.volume, slices)
        parts.append(tally(seen, scan.volume.structures[slices], scan.volume.spacing_mm, titles))
    return Tally.joined(parts)


def _samples(spec: InputSpec, table: np.ndarray) -> list[GuardScan]:
    found = []
    for name, labels in LABELS.items():
        scan, truth = read_scan(sample_path(name)), read_segmentation(sample_path(labels))
        turn = scan.grid.to_orientation()
        structures = table[turn.apply(structures_of(truth))]
        slices = evenly(np.flatnonzero(structures.any((1, 2))), _SLICES_A_SAMPLE)
        volume = on_grid(name, turn.apply(scan.voxels), structures, turn.grid.spacing, spec, slices)
        found.append(GuardScan(volume, slices))
    return found


def _drawn(spec: InputSpec, table: np.ndarray) -> list[GuardScan]:
    found = []
    maps = guard_maps(table)
    for number, look in enumerate(_LOOKS * _DRAWN_EACH):
        tissues = maps[(number + number // len(_LOOKS)) % len(maps)]
        generator = torch.Generator().manual_seed(1000 + number)
        slices = evenly(np.flatnonzero(tissues.structures.any((1, 2))), _SLICES_A_LOOK)
        image = np.zeros(tissues.values.shape, np.float32)
        spacing = (tissues.slice_mm, tissues.spacing_mm, tissues.spacing_mm)
        needed = _needed(slices, len(image), spacing[0], spec)
        painted = torch.from_numpy(tissues.values[needed])
        drawn = render(painted, draw_look(generator, look), tissues.spacing_mm, generator)
        noise = _NOISE * torch.randn(drawn.shape, generator=generator)
        image[needed] = (drawn + noise).clamp(0, 1.3).numpy()
        volume = on_grid(f"drawn {look} {number}", image, tissues.structures, spacing, spec, slices)
        found.append(GuardScan(volume, slices, often=number < len(_LOOKS)))
    return found


def _needed(slices: list[int], count: int, slice_mm: float, spec: InputSpec) -> list[int]:
    """Slices that a network sees when it is asked about `slices`."""
    return sorted({int(n) for i in slices for n in neighbour_indices(i, count, slice_mm, spec)})


def on_grid(
    name: str,
    image: np.ndarray,
    classes: np.ndarray,
    spacing: tuple[float, ...],
    spec: InputSpec,
    slices: list[int],
) -> PreparedVolume:
    """A prepared volume; slices that nobody will look at stay empty, which saves their resampling."""
    size = spec.working_size(*image.shape[1:], spacing[1:])
    picked = _needed(slices, len(image), spacing[0], spec)
    volume = PreparedVolume(
        name=name,
        patient=name,
        kind="image",
        values=np.zeros((len(image), *size), np.uint8),
        structures=np.zeros((len(image), *size), np.uint8),
        slice_mm=spacing[0],
        spacing_mm=spacing[1] * image.shape[1] / size[0],
    )
    volume.values[picked] = windowed(resized(windowed(image[picked]), size))
    volume.structures[slices] = resized_labels(classes[slices], size, np.unique(classes[slices]))
    return volume
