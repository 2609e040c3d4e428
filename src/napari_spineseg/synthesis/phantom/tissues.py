"""Tissues and how bright they are in each sequence.

Brightness is relative to cerebrospinal fluid in T2 (1.0), chosen by eye from textbook contrast
at 1.5 T: turbo spin echo T2 (TE about 100 ms), spin echo T1 (TR about 500 ms), STIR with fat nulled.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Literal

Texture = Literal["smooth", "mottled", "streaky", "septate"]


class Tissue(IntEnum):
    """What a point of the phantom is made of."""

    AIR = 0
    SKIN = 1
    FAT = 2
    MUSCLE = 3
    FASCIA = 4
    LIGAMENT = 5
    MARROW = 6
    CORTEX = 7
    ANNULUS = 8
    NUCLEUS = 9
    DRY_NUCLEUS = 10
    CSF = 11
    CORD = 12
    ROOT = 13
    DURA = 14
    EPIDURAL_FAT = 15
    VEIN = 16
    FLOW_VOID = 17
    BOWEL = 18
    BOWEL_CONTENT = 19
    KIDNEY = 20
    FATTY_MARROW = 21
    BRIGHT_ZONE = 22


# Brightness in T1, T2, STIR; depth of the texture; its kind.
_LOOK: dict[Tissue, tuple[float, float, float, float, Texture]] = {
    Tissue.AIR: (0.0, 0.0, 0.0, 0.0, "smooth"),
    Tissue.SKIN: (0.42, 0.30, 0.16, 0.10, "mottled"),
    Tissue.FAT: (0.95, 0.80, 0.07, 0.07, "septate"),
    Tissue.MUSCLE: (0.30, 0.15, 0.24, 0.16, "streaky"),
    Tissue.FASCIA: (0.14, 0.09, 0.10, 0.10, "smooth"),
    Tissue.LIGAMENT: (0.15, 0.09, 0.10, 0.20, "streaky"),
    Tissue.MARROW: (0.56, 0.40, 0.15, 0.16, "mottled"),
    Tissue.CORTEX: (0.07, 0.04, 0.04, 0.10, "smooth"),
    Tissue.ANNULUS: (0.24, 0.10, 0.09, 0.14, "streaky"),
    Tissue.NUCLEUS: (0.34, 0.60, 0.55, 0.10, "mottled"),
    Tissue.DRY_NUCLEUS: (0.27, 0.16, 0.14, 0.18, "mottled"),
    Tissue.CSF: (0.16, 1.00, 1.00, 0.05, "mottled"),
    Tissue.CORD: (0.40, 0.36, 0.40, 0.05, "mottled"),
    Tissue.ROOT: (0.36, 0.34, 0.38, 0.05, "smooth"),
    Tissue.DURA: (0.12, 0.18, 0.20, 0.0, "smooth"),
    Tissue.EPIDURAL_FAT: (0.90, 0.62, 0.08, 0.14, "mottled"),
    Tissue.VEIN: (0.42, 0.62, 0.50, 0.10, "smooth"),
    Tissue.FLOW_VOID: (0.05, 0.04, 0.05, 0.30, "mottled"),
    Tissue.BOWEL: (0.34, 0.24, 0.32, 0.20, "mottled"),
    Tissue.BOWEL_CONTENT: (0.30, 0.55, 0.50, 0.35, "mottled"),
    Tissue.KIDNEY: (0.38, 0.52, 0.70, 0.10, "mottled"),
    Tissue.FATTY_MARROW: (0.80, 0.58, 0.09, 0.10, "mottled"),
    Tissue.BRIGHT_ZONE: (0.34, 0.85, 0.85, 0.05, "smooth"),
}
_COLUMN = {"T1": 0, "T2": 1, "STIR": 2}


def brightness(tissue: Tissue, sequence: str) -> float:
    """Mean signal of a tissue; 1 is CSF in T2."""
    return _LOOK[tissue][_COLUMN[sequence]]


def texture(tissue: Tissue) -> tuple[float, Texture]:
    """Depth (relative standard deviation) and kind of a tissue's texture."""
    return _LOOK[tissue][3:]
