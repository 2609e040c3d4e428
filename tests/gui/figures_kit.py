"""Labels to measure, and a stand-in for the geometry: a figure of each kind whose place is known."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from gui_kit import FakeJob, add_scan, click, column_scan
from napari.layers import Layer

from napari_spineseg.io.layers import layer_tuple_for_segmentation
from napari_spineseg.measurement import CATALOGUE, Figure, Measurements, MeasureSettings
from napari_spineseg.progress import Control
from napari_spineseg.scan import Scan, Segmentation

REASON = "the lower endplate is not in the picture"
CAUTION = "the endplate is cut by the edge of the picture"
WARNING = "The slices are thick."
MISSING = ("body_depth", 1)
DOUBTFUL = ("body_height_middle", 2)


def labels_of(scan: Scan, **changes) -> Segmentation:
    """The labels that `column_scan` was made from."""
    return Segmentation((scan.voxels // 3).astype(np.uint16), scan.affine, f"{scan.name}_seg", **changes)


def add_labels(viewer, scan: Scan | None = None, **changes):
    """A scan and its labels as layers: (image, labels)."""
    scan = scan or column_scan()
    image = add_scan(viewer, scan)
    return image, viewer.add_layer(Layer.create(*layer_tuple_for_segmentation(labels_of(scan, **changes))))


def measure(page, qtbot) -> None:
    """Press *Measure* and wait for the end of the job."""
    click(qtbot, page.run_bar.button)
    qtbot.waitUntil(lambda: page.job is None)


def texts(table) -> list[list[str]]:
    """What the cells of a table say."""
    return [
        [table.item(row, column).text() for column in range(table.columnCount())]
        for row in range(table.rowCount())
    ]


def levels(table) -> list[str]:
    """The names at the left."""
    return [table.verticalHeaderItem(row).text() for row in range(table.rowCount())]


def headings(table) -> list[str]:
    """The names at the top, in one line each."""
    return [" ".join(table.horizontalHeaderItem(n).text().split()) for n in range(table.columnCount())]


def column_of(table, heading: str) -> int:
    return headings(table).index(heading)


@dataclass
class FakeMeasure(FakeJob):
    """Every vertebra's figure is ten times its label; a disc's is its number; marks run down its middle."""

    calls: list[tuple[Segmentation, Scan | None, MeasureSettings]] = field(default_factory=list)
    doubtful: bool = True
    also_doubtful: tuple[str, int] = ("", 0)

    def __call__(
        self, segmentation: Segmentation, scan: Scan | None, settings: MeasureSettings, control: Control
    ) -> Measurements:
        self.calls.append((segmentation, scan, settings))
        labels = [n for n in segmentation.found() if n != 100]
        self.work(control, "Measuring", len(labels))
        doubted = {DOUBTFUL, self.also_doubtful} if self.doubtful else set()
        figures = [figure for label in labels for figure in _figures(segmentation, label, doubted)]
        figures += [
            Figure("lordosis", 0, "spine", 40.0),
            Figure("coronal_cobb", 0, "spine", -2.26, marks=_across(segmentation)),
        ]
        return Measurements(tuple(figures), (*segmentation.warnings, WARNING), {})


def _figures(segmentation: Segmentation, label: int, doubted: set[tuple[str, int]]) -> list[Figure]:
    name, kind = segmentation.numbering.name(label), "vertebra" if label < 100 else "disc"
    found = []
    for key, measure in CATALOGUE.items():
        if measure.of != kind:
            continue
        marks = (ends_of(segmentation, label),)
        if (key, label) == MISSING:
            found.append(Figure(key, label, name, None, REASON))
        else:
            caution = CAUTION if (key, label) in doubted else ""
            found.append(Figure(key, label, name, 10.0 * label, caution=caution, marks=marks))
    return found


def _across(segmentation: Segmentation) -> tuple[tuple[tuple[float, ...], ...], ...]:
    """A line to the right through each of two vertebrae."""
    return tuple(
        ((x - 4, y, z), (x + 4, y, z)) for (x, y, z), _ in (ends_of(segmentation, n) for n in (1, 3))
    )


def ends_of(segmentation: Segmentation, label: int) -> tuple[tuple[float, ...], ...]:
    """RAS mm of the upper and lower end of a label, in the middle of it."""
    places = np.argwhere(segmentation.labels == label) @ segmentation.affine[:3, :3].T
    places += segmentation.affine[:3, 3]
    middle = places.mean(0)
    return tuple((middle[0], middle[1], float(z)) for z in (places[:, 2].max(), places[:, 2].min()))
