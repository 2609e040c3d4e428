"""Another style of labels: what of the corrections follows from the labels alone, without the image.

Who labels bodies without their arches, or discs inside their edges, does so everywhere. A network of a few
thousand weights that sees distances to the model's labels, and no image, can then turn these into the
corrected ones. Where a model was wrong because an image is poor or strange it cannot. So if it takes away
at least half of what was corrected, where it was not fitted to, there is a style: *Carry over* draws the
other slices in it (`restyle`), and learning follows it (`learning.lessons.style_search`).

Distances know no up and down, so labels that lie millimetres beside their image are no style.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import edt
import numpy as np
import torch
from safetensors.torch import load, save
from scipy import ndimage
from torch import nn
from torch.nn import functional

from napari_spineseg.datasets.crops import UNLABELLED
from napari_spineseg.io.write import put

# How far from any label something may be labelled otherwise, and how far behind the canal's front is told.
_REACH_MM, _BEHIND_MM = 12.0, 40.0
_SMOOTH_MM = 20.0
_WIDTH = 48
Pixel = float | tuple[float, float]
"""mm a pixel: of both sides, or down a column and along a row."""
LEAST_REMOVED = 0.5
"""A style explains most of what was corrected; a poor image's errors are hardly explained by their labels
(benchmarks/learning_efficiency.md: .71 against .28 at most)."""
_PIXELS, _LEARNING_RATE = 4096, 0.01
_BAND_MM = 40.0
STEPS = 300
"""Of the optimiser, to draw in a style; to see whether there is one takes fewer."""


@dataclass(frozen=True, eq=False)
class Style:
    """Turns a model's labels into those of another style.

    Attributes
    ----------
    canal
        The canal's class: the arches begin at its front edge. 0 where there is none.
    """

    network: nn.Sequential
    classes: int
    canal: int

    def shares(self, labels: np.ndarray, pixel_mm: Pixel) -> torch.Tensor:
        """(n, height, width) classes -> (n, classes, height, width) float32: how likely each class is."""
        return torch.stack([self._plane(seen, pixel_mm) for seen in labels]).permute(0, 3, 1, 2)

    def labels(self, labels: np.ndarray, pixel_mm: Pixel) -> np.ndarray:
        """(n, height, width) classes in this style, uint8."""
        return torch.stack([self._plane(seen, pixel_mm).argmax(-1).byte() for seen in labels]).numpy()

    @torch.no_grad()
    def _plane(self, seen: np.ndarray, pixel_mm: Pixel) -> torch.Tensor:
        """(height, width) classes -> (height, width, classes): what is far from all labels stays."""
        shares = functional.one_hot(torch.from_numpy(seen.astype(np.int64)), self.classes).float()
        given = torch.from_numpy(features(seen, pixel_mm, self.classes, self.canal))
        near = _near(given, self.classes)
        shares[near] = self.network(given[:, near].T).softmax(1)
        return shares


def features(seen: np.ndarray, pixel_mm: Pixel, classes: int, canal: int) -> np.ndarray:
    """What a style may go by, (2 · classes, height, width) float32.

    The signed distance to each class but the background (1 is 12 mm outside, -1 as much inside), which class
    it is (one-hot), and how far it lies behind the canal's front edge (1 is 40 mm). Columns run from the
    front to the back.
    """
    masks = [seen == number for number in range(classes)]
    rows = [_signed_distance(mask, pixel_mm) for mask in masks[1:]]
    return np.stack([*rows, *masks, _behind(masks[canal], pixel_mm) if canal else 0 * rows[0]]).astype(
        np.float32
    )


def fit_style(
    seen: Sequence[np.ndarray],
    wanted: Sequence[np.ndarray],
    pixel_mm: Sequence[Pixel],
    classes: int,
    canal: int,
    steps: int = STEPS,
    each: Callable[[], None] = lambda: None,
) -> Style:
    """The style that turns `seen` into `wanted`, scan by scan: (n, height, width) classes, 255 unknown.

    `each` is called before each of the `steps`; what it raises ends it.
    """
    pairs = [
        _samples(features(s, mm, classes, canal), w, classes)
        for scan, truth, mm in zip(seen, wanted, pixel_mm, strict=True)
        for s, w in zip(scan, truth, strict=True)
    ]
    given, answers = (torch.from_numpy(np.concatenate(part)) for part in zip(*pairs, strict=True))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = _network(classes)
        _fit(network, given, answers.long(), steps, each)
    return Style(network.eval().requires_grad_(False), classes, canal)


def explained(
    seen: np.ndarray,
    wanted: np.ndarray,
    pixel_mm: Pixel,
    classes: int,
    canal: int,
    steps: int,
    each: Callable[[], None] = lambda: None,
) -> float:
    """The share of pixels, where `seen` is not `wanted`, that a style puts right where it was not fitted to.

    Both are (n, height, width). Every second band of rows is left out, first the odd ones, then the others.
    `each` is called before each of the `steps` of the two trials.
    """
    bands = (np.arange(seen.shape[1]) * _sides(pixel_mm)[0] // _BAND_MM).astype(int) % 2
    wrong = seen != wanted
    before = left = 0
    for tried in (bands == 0, bands == 1):
        here = int(wrong[:, tried].sum())
        if here in (0, wrong.sum()):  # nothing to try it on, or nothing to fit it to
            continue
        known = wanted.copy()
        known[:, tried] = UNLABELLED
        style = fit_style([seen], [known], [pixel_mm], classes, canal, steps, each)
        before += here
        left += int((style.labels(seen, pixel_mm) != wanted)[:, tried].sum())
    return 1 - left / before if before else 0.0


def save_style(style: Style, path: Path) -> None:
    """Keep a style for a resume."""
    put(path, save(dict(style.network.state_dict())))


def load_style(path: Path, classes: int, canal: int) -> Style:
    """What `save_style` kept."""
    network = _network(classes)
    network.load_state_dict(load(path.read_bytes()))
    return Style(network.eval().requires_grad_(False), classes, canal)


def _network(classes: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(2 * classes, _WIDTH),
        nn.ReLU(),
        nn.Linear(_WIDTH, _WIDTH),
        nn.ReLU(),
        nn.Linear(_WIDTH, classes),
    )


def _fit(
    network: nn.Sequential,
    given: torch.Tensor,
    answers: torch.Tensor,
    steps: int,
    each: Callable[[], None],
) -> None:
    optimiser = torch.optim.Adam(network.parameters(), _LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        each()
        drawn = torch.randint(len(given), (min(_PIXELS, len(given)),))
        loss = functional.cross_entropy(network(given[drawn]), answers[drawn])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()


def _samples(given: np.ndarray, wanted: np.ndarray, classes: int) -> tuple[np.ndarray, np.ndarray]:
    used = _near(torch.from_numpy(given), classes).numpy() & (wanted != UNLABELLED)
    return given[:, used].T, wanted[used]


def _near(given: torch.Tensor, classes: int) -> torch.Tensor:
    """(height, width) bool: within reach of any label."""
    return (given[: classes - 1] < 1).any(0)


def _signed_distance(mask: np.ndarray, pixel_mm: Pixel) -> np.ndarray:
    if not mask.any():
        return np.ones(mask.shape, np.float32)
    outside, inside = (edt.edt(np.ascontiguousarray(m), anisotropy=_sides(pixel_mm)) for m in (~mask, mask))
    return np.clip((outside - inside) / _REACH_MM, -1, 1)


def _behind(canal: np.ndarray, pixel_mm: Pixel) -> np.ndarray:
    rows = np.flatnonzero(canal.any(1))
    if not len(rows):
        return np.zeros(canal.shape, np.float32)
    down, along = _sides(pixel_mm)
    front = ndimage.median_filter(canal[rows].argmax(1), min(len(rows), max(1, round(_SMOOTH_MM / down))))
    edge = np.interp(np.arange(len(canal)), rows, front)
    behind = (np.arange(canal.shape[1])[None] - edge[:, None]) * along
    return np.clip(behind / _BEHIND_MM, -1, 1)


def _sides(pixel_mm: Pixel) -> tuple[float, float]:
    return pixel_mm if isinstance(pixel_mm, tuple) else (pixel_mm, pixel_mm)
