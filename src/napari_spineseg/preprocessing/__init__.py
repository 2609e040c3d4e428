"""Scan -> Scan, one step a file. Settings load no torch; it is imported by the step that needs it."""

from napari_spineseg.preprocessing.pipeline import (
    STEPS,
    Pipeline,
    bring_back,
    carry,
    make_step,
    name_of,
    replay,
    undo,
)
from napari_spineseg.preprocessing.presets import bundled, find_preset, read_preset, write_preset
from napari_spineseg.preprocessing.step import GeometricStep, Step, Tools
from napari_spineseg.preprocessing.step_words import parse_step, step_spoken, step_words

__all__ = [
    "STEPS",
    "GeometricStep",
    "Pipeline",
    "Step",
    "Tools",
    "bring_back",
    "bundled",
    "carry",
    "find_preset",
    "make_step",
    "name_of",
    "parse_step",
    "read_preset",
    "replay",
    "step_spoken",
    "step_words",
    "undo",
    "write_preset",
]
