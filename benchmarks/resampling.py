"""Resampling and labelling, against SciPy and scikit-image on the same arrays."""

from __future__ import annotations

import cc3d
import numpy as np
import torch
from scipy import ndimage
from skimage import measure as skimage_measure
from skimage.transform import resize

from benchmarks.figure import Figure
from benchmarks.workload import bundled, exam, interleaved
from napari_spineseg.core.inputs import resample_slices
from napari_spineseg.core.output import Output
from napari_spineseg.core.predict import predict
from napari_spineseg.instances import label_levels

NUMBERS = np.arange(4, dtype=np.uint8)


def measure(runs: int) -> list[Figure]:
    scan = exam(17)
    volume = np.ascontiguousarray(scan.sagittal(), np.float32)
    spacing = scan.grid.to_orientation().grid.spacing
    size = tuple(round(n * mm / 0.5) for n, mm in zip(volume.shape[1:], spacing[1:], strict=True))
    structures = scan.grid.to_orientation().apply(predict(scan, bundled()).structures)
    logits = _logits(structures, size)
    with torch.inference_mode():
        return [
            *_ratios(
                "resample the scan",
                {
                    "ours": lambda: resample_slices(torch.from_numpy(volume), size),
                    "SciPy": lambda: ndimage.zoom(volume, _factors(volume.shape[1:], size), order=1),
                    "scikit-image": lambda: resize(
                        volume, (len(volume), *size), order=1, anti_aliasing=False
                    ),
                },
                runs,
            ),
            *_ratios(
                "resample the answer to labels",
                {
                    "ours": lambda: _back(logits, volume.shape),
                    "SciPy": lambda: _back_with_scipy(logits, volume.shape),
                },
                runs,
            ),
            *_ratios(
                "connected components of all structures",
                {
                    "ours": lambda: cc3d.connected_components(structures, connectivity=6),
                    "SciPy": lambda: [ndimage.label(structures == k) for k in (1, 2, 3)],
                    "scikit-image": lambda: skimage_measure.label(structures, connectivity=1),
                },
                runs,
            ),
            *_ratios("structures to levels", {"ours": lambda: label_levels(structures, spacing)}, runs),
        ]


def _ratios(what: str, jobs: dict, runs: int) -> list[Figure]:
    seconds = interleaved(jobs, runs)
    ours = seconds.pop("ours")
    return [Figure(f"{what}: ours", tuple(lap.processor for lap in ours), "s")] + [
        Figure(
            f"{what}: {name} takes",
            tuple(theirs.processor / mine.processor for theirs, mine in zip(laps, ours, strict=True)),
            "x",
        )
        for name, laps in seconds.items()
    ]


def _logits(structures: np.ndarray, size: tuple[int, int]) -> torch.Tensor:
    """(slices, 4, H, W) logits on the network's grid that stand for `structures`."""
    shares = torch.nn.functional.one_hot(torch.from_numpy(structures).long(), 4).movedim(-1, 1).float()
    return torch.nn.functional.interpolate(shares, size, mode="bilinear") * 10


def _back(logits: torch.Tensor, shape: tuple[int, ...]) -> np.ndarray:
    output = Output(shape, logits.shape[2:], NUMBERS)
    for index, slice_ in enumerate(logits):
        output.add(index, slice_, (0, 0))
    return output.labels


def _back_with_scipy(logits: torch.Tensor, shape: tuple[int, ...]) -> np.ndarray:
    shares = logits.softmax(1).numpy()
    factors = _factors(logits.shape[2:], shape[1:])
    return np.stack([ndimage.zoom(shares[:, k], factors, order=1) for k in range(4)]).argmax(0)


def _factors(before: tuple[int, ...], after: tuple[int, ...]) -> tuple[float, ...]:
    return 1.0, after[0] / before[0], after[1] / before[1]
