"""A recipe as the line of a terminal that does the same."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path

from napari_spineseg.preprocessing.pipeline import Pipeline
from napari_spineseg.preprocessing.presets import bundled
from napari_spineseg.preprocessing.step_words import step_words


def command_line(
    scans: Iterable[Path | str], recipe: Pipeline, output: Path | str, series: str | None = None
) -> str:
    """`spineseg preprocess …`, quoted for a shell.

    Parameters
    ----------
    series
        For a DICOM folder with several: which.

    Examples
    --------
    >>> print(command_line(["my scan.mha"], Pipeline(steps=[{"step": "clip"}]), "out"))
    spineseg preprocess 'my scan.mha' -o out --step clip
    """
    words = ["spineseg", "preprocess", *map(str, scans), "-o", str(output)]
    preset = next((name for name, one in bundled().items() if one.steps == recipe.steps), None)
    if preset is not None:
        words += ["--preset", preset]
    else:
        words += [word for step in recipe.steps for word in ("--step", step_words(step))]
    if series is not None:
        words += ["--series", series]
    return shlex.join(words)
