"""How quick and how frugal correcting is on a segmentation of 100 x 512 x 512 voxels.

    python -m benchmarks correction_speed

Wall time: brush strokes, every tool on a vertebra through all slices, a click without a model, carrying a
corrected slice over, and a look of the autosave. It means something only on a machine that is otherwise idle.
Memory: the most that Python and NumPy hold at a time beside the layer, in label volumes.
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from napari.layers import Labels

from benchmarks.figure import Figure
from napari_spineseg.corrections import tools
from napari_spineseg.corrections.autosave import Autosave
from napari_spineseg.corrections.carry import carry_over
from napari_spineseg.corrections.click import Hints, fix_by_click
from napari_spineseg.corrections.confine import Rule
from napari_spineseg.corrections.handmade import Handmade
from napari_spineseg.corrections.journal import Journal
from napari_spineseg.corrections.tools.brush import stroke
from napari_spineseg.widgets.correct.history import History
from napari_spineseg.widgets.correct.tools import TOOLS, Place

SHAPE, SPACING = (100, 512, 512), (0.9, 0.55, 0.55)
_LEVEL, _TUMOUR = 4, 301


def column() -> np.ndarray:
    """Ten vertebrae of 36 x 28 x 50 mm, discs between them, a canal behind."""
    labels = np.zeros(SHAPE, np.uint16)
    slices, columns = np.ogrid[: SHAPE[0], : SHAPE[2]]
    body = ((slices - 50) / 28) ** 2 + ((columns - 200) / 36) ** 2 <= 1
    canal = ((slices - 50) / 12) ** 2 + ((columns - 262) / 16) ** 2 <= 1
    for level in range(1, 11):
        top = 500 - 48 * level
        labels[:, top : top + 36][np.broadcast_to(body[:, None], (100, 36, 512))] = level
        labels[:, top + 37 : top + 47][np.broadcast_to(body[:, None], (100, 10, 512))] = 200 + level
    labels[np.broadcast_to(canal[:, None], SHAPE)] = 100
    return labels


@contextmanager
def _busy(into: list[float]) -> Iterator[None]:
    start = time.perf_counter()
    yield
    into.append(1000 * (time.perf_counter() - start))


def measure(runs: int) -> list[Figure]:
    """Every figure; each is the median of `runs`."""
    labels = column()
    image = (100.0 * (labels > 0) + np.random.default_rng(0).normal(0, 10, SHAPE)).astype(np.float32)
    layer = Labels(labels, scale=SPACING)
    history = History(layer)
    return [
        _strokes(layer, runs),
        *_tools(layer, image, history, runs),
        _clicks(labels, image, runs),
        *_carrying(labels, image, runs),
        *_keeping(labels, runs),
    ]


def _strokes(layer: Labels, runs: int) -> Figure:
    """From one mouse event to the next, 15 mm apart, with a brush of 11 mm."""
    times: list[float] = []
    for n in range(runs * 5):
        start, stop = (50.0, 40.0 + n, 330.0), (50.0, 60.0 + n, 350.0)
        with _busy(times):
            edit = stroke(layer.data, start, stop, 5.5, _TUMOUR, SPACING)
            layer.data_setitem(edit.index, edit.values.astype(layer.data.dtype))
    return Figure("Brush stroke", tuple(times), "ms", at_most=30)


def _tools(layer: Labels, image: np.ndarray, history: History, runs: int) -> Iterator[Figure]:
    """Tool and undo, through all slices; `fill_between` and `merge` get something to do first."""
    at = Place(layer.data, image, _LEVEL, SPACING, 0, 50, True, Rule())
    more: dict[str, Callable[[Place], object]] = {
        "merge": lambda at: tools.merge(at.labels, _LEVEL, 200 + _LEVEL),
        "split": lambda at: tools.split_between(at.labels, _LEVEL, (50, 312, 200), (50, 340, 200), SPACING),
    }
    for name, tool in (TOOLS | more).items():
        times: list[float] = []
        kept = layer.data[40:60].copy()
        if name == "fill_between":
            gap = layer.data[40:60]
            gap[gap == _LEVEL] = 0
        for _ in range(runs):
            with _busy(times):
                changed = history.apply(tool(at))
            if changed:
                history.undo()
        layer.data[40:60] = kept
        yield Figure(f"Tool: {name}", tuple(times), "ms", at_most=500)


def _clicks(labels: np.ndarray, image: np.ndarray, runs: int) -> Figure:
    times: list[float] = []
    for n in range(runs):
        with _busy(times):
            fix_by_click(labels, image, _LEVEL, Hints(inside=[(50, 320 + n, 240)]), SPACING)
    return Figure("Click to fix", tuple(times), "ms", at_most=300)


def _carrying(labels: np.ndarray, image: np.ndarray, runs: int) -> Iterator[Figure]:
    """One slice on which a vertebra and a disc were corrected, over to the others; and the watching."""
    watching, asking, carrying = ([] for _ in range(3))
    for _ in range(runs):
        with _busy(watching):
            handmade = Handmade(labels)
        drawn = labels.copy()
        drawn[50, 312:320][drawn[50, 312:320] == _LEVEL] = 0
        drawn[50, 300:304][drawn[50, 300:304] == 200 + _LEVEL] = 0
        with _busy(asking):
            corrected = handmade.corrected(drawn)
        with _busy(carrying):
            carry_over(drawn, labels, corrected, SPACING, image)
    yield Figure("Watching a layer, once", tuple(watching), "ms")
    yield Figure("Which slices were corrected", tuple(asking), "ms")
    yield Figure("Carry over, with progress, beside the window", tuple(carrying), "ms")


def _keeping(labels: np.ndarray, runs: int) -> Iterator[Figure]:
    """A look of the autosave beside the window, and what keeping and tools hold at most."""
    times: list[float] = []
    with TemporaryDirectory() as folder:
        tracemalloc.start()
        saved = Autosave(labels, Journal(Path(folder) / "journal", labels, {}))
        for n in range(runs):
            labels[50, 10 + n, 10:40] = 1
            with _busy(times):
                saved.look()
        saved.settle()
        at = Place(labels, None, _LEVEL, SPACING, 0, 50, True, Rule())
        for name in ("smooth", "grow", "erase_islands", "keep_largest"):
            TOOLS[name](at)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    yield Figure("Look of the autosave", tuple(times), "ms")
    yield Figure("Memory, with the layer itself", (1 + most / labels.nbytes,), "x", at_most=3)
