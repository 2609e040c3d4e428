"""SpineSeg as the program for medical formats, in napari's preference `plugins.extension2reader`.

Several plugins, napari's own among them, can read .nii or .dcm; without a preference napari asks at
every drop. These functions only compute the new preference: asking is the widget's business.
"""

from __future__ import annotations

from collections.abc import Mapping

READER = "spineseg"
"""The plugin's name in the preference."""

PATTERNS = (
    "*.nii", "*.nii.gz", "*.mha", "*.mhd", "*.nrrd", "*.nhdr", "*.dcm", "*.dicom", "*.ima",
)  # fmt: skip
"""Formats that hardly anything but a medical scan comes in. TIFF is left to the person."""


def is_default(preferences: Mapping[str, str]) -> bool:
    """Whether SpineSeg opens all medical formats already."""
    return all(preferences.get(pattern) == READER for pattern in PATTERNS)


def with_spineseg(preferences: Mapping[str, str]) -> dict[str, str]:
    """`preferences` with SpineSeg for medical formats and all others as they were.

    >>> with_spineseg({"*.png": "napari"})["*.png"], with_spineseg({})["*.nii.gz"]
    ('napari', 'spineseg')
    """
    return {**preferences, **dict.fromkeys(PATTERNS, READER)}
