"""Findings of one scan: what `segment` adds where a tumour model ran."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from napari_spineseg.anatomy import Numbering, Structure
from napari_spineseg.grid import Grid
from napari_spineseg.models import ModelEntry
from napari_spineseg.tumours.findings import Finding, FindSettings, find

WARNING = (
    "Tumours were looked for with a model that learnt from synthetic tumours and was not validated on "
    "patients: it can miss tumours and mark what is none."
)


def finds_tumours(structures: tuple[str, ...] | list[str]) -> bool:
    """Whether a model with these outputs looks for tumours."""
    return Structure.TUMOUR.title in structures


def knows_anatomy(structures: tuple[str, ...] | list[str]) -> bool:
    """Whether a model with these outputs finds vertebrae, so that levels can be counted."""
    return Structure.VERTEBRA.title in structures


def tumour_record(findings: Sequence[Finding] | None, levels_model: ModelEntry | None) -> dict[str, Any]:
    """What goes into the provenance: where each tumour lies, and which model counted the levels.

    `findings` None where no model looked for tumours. JSON-able.
    """
    out: dict[str, Any] = {} if findings is None else {"tumours": [f.record() for f in findings]}
    if levels_model is not None:
        entry = levels_model
        out["levels_model"] = {"name": entry.name, "version": entry.version, "sha256": entry.sha256}
    return out


def findings_in(
    structures: np.ndarray,
    uncertainty: np.ndarray | None,
    levels: np.ndarray,
    grid: Grid,
    numbering: Numbering,
    settings: FindSettings | None = None,
    odds: tuple[float, float] | None = None,
) -> tuple[np.ndarray, list[Finding]]:
    """Number the tumours of a prediction.

    Parameters
    ----------
    structures, uncertainty
        (i, j, k), on the scan's own axes, as `core.predict` gives them.
    levels
        (slices, rows, columns), the anatomy in the sagittal view.
    odds
        The model's `finding_odds`.

    Returns
    -------
    (slices, rows, columns) uint16, 301 and upward; and the findings.
    """
    turn = grid.to_orientation()
    mask = turn.apply(structures) == Structure.TUMOUR
    sure = None if uncertainty is None else probability_of(turn.apply(uncertainty))
    return find(mask, sure, levels, turn.grid.spacing, numbering, settings, odds)


def probability_of(entropy: np.ndarray) -> np.ndarray:
    """How likely the chosen one of two classes is, 0.5 to 1, from their entropy (float16, 0 to 1)."""
    return _table()[entropy.astype(np.float16, copy=False).view(np.uint16)]


@lru_cache(maxsize=1)
def _table() -> np.ndarray:
    """The probability that belongs to each half-precision number: it is quicker looked up than worked out."""
    shares = np.linspace(0.5, 1.0, 513)
    other = np.clip(1 - shares, 1e-12, None)
    entropies = -(shares * np.log2(shares) + other * np.log2(other))
    numbers = np.arange(1 << 16, dtype=np.uint16).view(np.float16).astype(np.float32)
    return np.interp(np.nan_to_num(numbers), entropies[::-1], shares[::-1]).astype(np.float32)
