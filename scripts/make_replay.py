"""Make the maps of tissues that learning replays: phantoms' labels, with surroundings painted around them.

Run it as `python scripts/make_replay.py`; the same maps come out every time (about half a minute each).
"""

from pathlib import Path

import numpy as np

from napari_spineseg.anatomy import levels_to_structures
from napari_spineseg.datasets.prepared import PreparedVolume
from napari_spineseg.synthesis.phantom import PhantomSettings, make_phantom
from napari_spineseg.synthesis.tissues import paint_tissues

SPINES = (
    {"seed": 101},
    {"seed": 102, "scoliosis_deg": 18},
    {"seed": 103, "lumbar_levels": 6},
    {"seed": 104, "slip_mm": 6},
    {"seed": 105, "lumbar_levels": 4},
    {"seed": 106, "scoliosis_deg": -12, "degenerate_discs": (201, 202, 203)},
    {"seed": 107},
    {"seed": 108, "slip_mm": -4, "scoliosis_deg": 8},
)
SPACING_MM = (4.0, 0.5, 0.5)
FIELD_OF_VIEW_MM = (52, 240, 168)
OUT = Path(__file__).parents[1] / "src" / "napari_spineseg" / "learning" / "maps"


def make(spine: dict) -> PreparedVolume:
    """The map of one spine."""
    settings = PhantomSettings(spacing_mm=SPACING_MM, field_of_view_mm=FIELD_OF_VIEW_MM, **spine)
    _, labels = make_phantom(settings)
    levels = np.ascontiguousarray(labels.grid.to_orientation().apply(labels.labels))
    name = f"phantom-{settings.seed}"
    return PreparedVolume(
        name=name,
        patient=name,
        kind="tissues",
        values=paint_tissues(levels, SPACING_MM, settings.seed),
        structures=levels_to_structures(levels),
        slice_mm=SPACING_MM[0],
        spacing_mm=SPACING_MM[1],
    )


if __name__ == "__main__":
    OUT.mkdir(exist_ok=True)
    for number, spine in enumerate(SPINES, start=1):
        print(make(spine).save(OUT), f"({number} of {len(SPINES)})", flush=True)
