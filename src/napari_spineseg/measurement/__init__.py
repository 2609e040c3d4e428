"""From a segmentation to figures: heights, depths, angles, areas and volumes, each with its definition."""

from napari_spineseg.measurement.catalogue import CATALOGUE, Measure
from napari_spineseg.measurement.figures import Figure, Measurements
from napari_spineseg.measurement.measure import measure
from napari_spineseg.measurement.settings import MeasureSettings

__all__ = ["CATALOGUE", "Figure", "Measure", "MeasureSettings", "Measurements", "measure"]
