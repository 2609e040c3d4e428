"""What the network says of each slice, collected on the scan's grid: labels, and how unsure they are."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch

from napari_spineseg.core.resample import Window, interpolate_window, window_of
from napari_spineseg.core.uncertainty import entropy

# How far, in pixels of the network's grid, interpolation may carry foreground.
_RIM = 2


@dataclass(frozen=True)
class _Answer:
    """Probabilities (classes, h, w) of a slice within `window` of the scan's grid; background elsewhere."""

    window: Window
    probabilities: torch.Tensor | None = None


class Output:
    """Takes slices of logits on the network's grid and keeps labels on the scan's.

    Parameters
    ----------
    shape
        (slices, height, width) of the scan in sagittal orientation.
    size
        (height, width) of a slice on the network's grid, without padding.
    numbers
        (classes,) uint8: the `Structure` that each output of the network stands for.
    step
        Slices from one that is predicted to the next. Those between are interpolated.
    temperature
        Divides the logits before their entropy is taken; None if it is not wanted.

    Attributes
    ----------
    labels
        (slices, height, width) uint8, `Structure` numbers.
    uncertainty
        (slices, height, width) float16, 0 to 1, or None.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        size: tuple[int, int],
        numbers: np.ndarray,
        step: int = 1,
        temperature: float | None = None,
    ) -> None:
        self.size, self.numbers, self.step, self.temperature = (
            size,
            torch.from_numpy(numbers),
            step,
            temperature,
        )
        self.labels = np.zeros(shape, np.uint8)
        self.uncertainty = None if temperature is None else np.zeros(shape, np.float16)
        self._answers: dict[int, _Answer] = {}

    def add(self, index: int, logits: torch.Tensor, origin: tuple[int, int]) -> torch.Tensor | None:
        """Put one slice in its place.

        Parameters
        ----------
        logits
            (classes, h, w): the part of the slice on the network's grid that begins at `origin`
            (row, column). It may reach into the padding. The rest of the slice is background.

        Returns
        -------
        (h, w) bool, what is foreground on the network's grid; None if nothing is.
        """
        logits = logits[:, : self.size[0] - origin[0], : self.size[1] - origin[1]]
        if self.uncertainty is not None:
            self._add_uncertainty(index, logits, origin)
        foreground = logits[1:].amax(0) > logits[0]
        there = window_of(foreground)
        if there.empty:
            self._put(index, _Answer(there))
            return None
        near = there.grown(_RIM, _RIM, *logits.shape[1:])
        probabilities = logits[:, *near.slices].contiguous().softmax(0)
        inner = near.moved(*origin)
        wanted = inner.scaled(self.size, self.labels.shape[1:])
        on_scan = interpolate_window(
            probabilities, (inner.top, inner.left), self.size, self.labels.shape[1:], wanted
        )
        self._put(index, _Answer(wanted, on_scan))
        return foreground

    def fill_between(self) -> None:
        """Label the slices between predicted ones from the probabilities of the two beside them."""
        known = sorted(self._answers)
        for first, second in pairwise(known):
            for index in range(first + 1, second):
                share = (index - first) / (second - first)
                self._label(index, _blend(self._answers[first], self._answers[second], share))
                if self.uncertainty is not None:
                    one, other = (self.uncertainty[i].astype(np.float32) for i in (first, second))
                    self.uncertainty[index] = one + share * (other - one)
        self._answers.clear()

    def _put(self, index: int, answer: _Answer) -> None:
        self._label(index, answer)
        if self.step > 1:
            small = None if answer.probabilities is None else answer.probabilities.half()
            self._answers[index] = _Answer(answer.window, small)

    def _label(self, index: int, answer: _Answer) -> None:
        self.labels[index] = 0  # It may have been looked at before, through a smaller window
        if answer.probabilities is not None:
            classes = largest(answer.probabilities)
            numbers = self.numbers.to(classes.device)
            self.labels[index][answer.window.slices] = numbers[classes.int()].cpu().numpy()

    def _add_uncertainty(self, index: int, logits: torch.Tensor, origin: tuple[int, int]) -> None:
        unsure = entropy((logits.contiguous() / self.temperature).softmax(0))[None]
        part = Window(0, logits.shape[1], 0, logits.shape[2]).moved(*origin)
        wanted = part.scaled(self.size, self.labels.shape[1:])
        values = interpolate_window(unsure, origin, self.size, self.labels.shape[1:], wanted)[0]
        self.uncertainty[index] = 0
        self.uncertainty[index][wanted.slices] = values.clamp(0, 1).cpu().numpy()


def largest(shares: torch.Tensor) -> torch.Tensor:
    """(h, w) uint8 class with the largest of (classes, h, w) shares; the first of equal ones.

    `argmax` over the slowest axis walks through memory the wrong way; this is five times faster.
    """
    best, classes = shares[0], torch.zeros(shares.shape[1:], dtype=torch.uint8, device=shares.device)
    for k in range(1, len(shares)):
        classes.masked_fill_(shares[k] > best, k)
        best = torch.maximum(best, shares[k])
    return classes


def _blend(first: _Answer, second: _Answer, share: float) -> _Answer:
    """Between two slices, `share` of the way to the second."""
    window = first.window.union(second.window)
    known = first.probabilities if first.probabilities is not None else second.probabilities
    if known is None:
        return _Answer(window)
    out = torch.zeros(len(known), *window.shape, device=known.device)
    for answer, weight in ((first, 1 - share), (second, share)):
        if answer.probabilities is None:
            out[0] += weight
            continue
        out[0] += weight
        inside = answer.window.moved(-window.top, -window.left).slices
        out[0][inside] -= weight
        out[:, *inside] += weight * answer.probabilities
    return _Answer(window, out)
