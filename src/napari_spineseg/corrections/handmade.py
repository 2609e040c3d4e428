"""Which slices a person corrected by hand, and what was on them before.

A slice is known by a digest of its labels. Whatever a tool or the model put on a slice is remembered with
what stood there before anybody drew; a slice in any other state was drawn on. So undo, redo and changes
of layer need no telling: the labels themselves say in which state they are.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable

import numpy as np


class Handmade:
    """Keeps track of one layer's slices along the first axis.

    Parameters
    ----------
    labels
        (slices, rows, columns), as the model left them.
    """

    def __init__(self, labels: np.ndarray) -> None:
        self.shape, self._type = labels.shape, labels.dtype
        self._known: list[dict[bytes, bytes]] = [{} for _ in labels]
        self._drawn: list[dict[bytes, bytes]] = [{} for _ in labels]
        self._last: list[bytes] = [b""] * len(labels)
        self.note(labels, range(len(labels)))

    def note(self, labels: np.ndarray, numbers: Iterable[int]) -> None:
        """What stands on these slices now is a new beginning, and nobody's correction."""
        for number in numbers:
            packed = _packed(labels[number])
            self._known[number][_digest(labels[number])] = packed
            self._last[number] = packed

    def note_carried(self, labels: np.ndarray, numbers: Iterable[int]) -> None:
        """What stands on these slices now was carried over: no correction, and no beginning either."""
        for number in numbers:
            self._known[number][_digest(labels[number])] = self._last[number]

    def drew(self, labels: np.ndarray, numbers: Iterable[int]) -> None:
        """Somebody drew on these slices: what they began from is kept, for when they come back."""
        for number in numbers:
            self._drawn[number][_digest(labels[number])] = self._last[number]

    def came_back(self, labels: np.ndarray) -> None:
        """Something was undone or redone: what is drawn from here on has the beginning of that state."""
        for number, plane in enumerate(labels):
            digest = _digest(plane)
            packed = self._known[number].get(digest, self._drawn[number].get(digest))
            if packed is not None:
                self._last[number] = packed

    def corrected(self, labels: np.ndarray) -> list[int]:
        """The slices that somebody drew on."""
        return [n for n, digest in enumerate(state_of(labels)) if digest not in self._known[n]]

    def before(self) -> np.ndarray:
        """(slices, rows, columns): what was there before anybody drew."""
        out = np.empty(self.shape, self._type)
        for plane, packed in zip(out, self._last, strict=True):
            plane[:] = np.frombuffer(zlib.decompress(packed), self._type).reshape(plane.shape)
        return out


def state_of(labels: np.ndarray) -> list[bytes]:
    """A digest of every slice: for knowing later whether anything was drawn since."""
    return [_digest(plane) for plane in labels]


def _digest(plane: np.ndarray) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(plane), digest_size=12).digest()


def _packed(plane: np.ndarray) -> bytes:
    # Labels are long runs of one number: the quickest level makes a hundredth of them.
    return zlib.compress(np.ascontiguousarray(plane), level=1)
