"""Spines drawn with a ruler, and what measuring them gives."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_spineseg.measurement import Measurements, measure
from napari_spineseg.scan import Segmentation
from napari_spineseg.synthesis.ruled import RuledLevel, RuledSpine, draw_ruled, rule_spine

LORDOTIC = (
    RuledLevel(wedge=6, disc_wedge=9),
    RuledLevel(wedge=2, disc_wedge=7),
    RuledLevel(disc_wedge=4),
    RuledLevel(wedge=-2, disc_wedge=2, height=24.3, depth=31),
    RuledLevel(wedge=-2),
)


@pytest.fixture(scope="session")
def lordotic() -> tuple[RuledSpine, Segmentation, Measurements]:
    """L5 to L1, thick slices."""
    spine = rule_spine(LORDOTIC)
    drawn = draw_ruled(spine, (4.0, 0.7, 0.7))
    return spine, drawn, measure(drawn)


@pytest.fixture(scope="session")
def short() -> Segmentation:
    """L5 and L4 on a coarse grid: quick to measure. Read-only."""
    drawn = draw_ruled(rule_spine([RuledLevel(wedge=3), RuledLevel(disc_wedge=5, slip=3)]), (4.0, 1.0, 1.0))
    drawn.labels.setflags(write=False)
    return drawn


@pytest.fixture(scope="session")
def single() -> Segmentation:
    """L5 alone. Read-only."""
    drawn = draw_ruled(rule_spine([RuledLevel(wedge=3, disc_wedge=6)]), (4.0, 1.2, 1.0))
    drawn.labels.setflags(write=False)
    return drawn


@pytest.fixture(scope="session")
def short_found(short) -> Measurements:
    """What measuring `short` gives."""
    return measure(short)


@pytest.fixture
def change():
    """The same segmentation with other labels."""

    def changed(segmentation: Segmentation, edit) -> Segmentation:
        labels = np.array(segmentation.labels)
        return replace(segmentation, labels=edit(labels))

    return changed
