"""What the page *Measure* says: a card's words, a cell, a sentence about a figure, text for a spreadsheet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from napari_spineseg.anatomy import Numbering
from napari_spineseg.anatomy_words import summarise
from napari_spineseg.measurement import Figure, Measure, Measurements
from napari_spineseg.measurement.catalogue import Of
from napari_spineseg.measurement.table import shown

KINDS: dict[Of, str] = {"vertebra": "Vertebrae", "disc": "Discs", "spine": "Spine"}
"""What a table is of, and what that is called."""


def headline_of(measurements: Measurements, numbering: Numbering) -> str:
    """What was measured."""
    labels = {figure.label for figure in measurements.figures if figure.label}
    return f"{summarise(labels, numbering)} measured" if labels else "Nothing measured"


def remark_of(measurements: Measurements) -> str:
    """How many figures are missing, most of them why, and how many are doubtful."""
    figures = measurements.figures
    missing = [figure.reason for figure in figures if figure.value is None]
    doubtful = sum(bool(figure.caution) for figure in figures)
    many = f"{len(missing)} figure{'s' if len(missing) > 1 else ''} missing"
    parts = [many + mostly(missing)] if missing else []
    parts += [f"{doubtful} to look at"] if doubtful else []
    return "; ".join(parts) or ("Every figure is known." if figures else "")


def mostly(reasons: Sequence[str]) -> str:
    """Why most figures are missing; empty where no reason is there twice.

    >>> mostly(["it is cut off by the right edge of the scan", "cut off by the upper edge of the scan"])
    ', all cut off by the edges of the scan'
    >>> mostly(["the sacrum is not labelled", "the sacrum is not labelled", "too little of it is labelled"])
    ', 2 of them because the sacrum is not labelled'
    """
    (why, number), *_ = Counter(_kind_of(reason) for reason in reasons).most_common(1)
    if number < 2:
        return ""
    return f", {'all' if number == len(reasons) else f'{number} of them'} {why}"


def _kind_of(reason: str) -> str:
    """A reason without whose it is, so that alike ones can be counted."""
    if "cut off by" in reason:
        return "cut off by the edges of the scan"
    why = reason.rpartition(": ")[2].removesuffix(".")
    # A sentence of its own begins with a capital; L5 keeps it.
    return f"because {why[:1].lower() + why[1:] if why[1:2].islower() or why[1:2] == ' ' else why}"


def heading_of(measure: Measure) -> str:
    """A measure's title with its unit.

    >>> from napari_spineseg.measurement import CATALOGUE
    >>> heading_of(CATALOGUE["body_depth"]), heading_of(CATALOGUE["wedge_ratio"])
    ('Body depth (mm)', 'Anterior / posterior height')
    """
    return f"{measure.title} ({measure.unit})" if measure.unit else measure.title


def sentence_of(figure: Figure) -> str:
    """Whose figure it is, and what it is, in one line."""
    whose = "" if not figure.label else f"{figure.level}, "
    return f"{whose}{figure.measure.title}: {shown(figure)}"


def doubt_of(figure: Figure) -> str:
    """Why a figure is missing or doubtful, as a sentence; empty where it is neither."""
    words = figure.reason if figure.value is None else figure.caution
    return words[:1].upper() + words[1:] + ("" if words[-1:] in (".", "") else ".")


def definition_of(measure: Measure) -> str:
    """What a measure means, and whose definition that is."""
    return f"{measure.definition} {measure.source[:1].upper()}{measure.source[1:]}."


def as_text(rows: Sequence[Sequence[Figure]], measures: Iterable[Measure]) -> str:
    """Rows of figures as tab-separated text with a heading, to be pasted into a spreadsheet.

    A figure that is not known is an empty cell; why, and what is doubtful, is in a last column.
    """
    headings = ["Level", *(heading_of(measure) for measure in measures)]
    notes = ["; ".join(_note(figure) for figure in row if doubt_of(figure)) for row in rows]
    cells = [[_level(row), *(_number(f) for f in row)] for row in rows]
    if any(notes):
        headings.append("Notes")
        cells = [[*line, note] for line, note in zip(cells, notes, strict=True)]
    return "".join("\t".join(line) + "\n" for line in [headings, *cells])


def _number(figure: Figure) -> str:
    """As a spreadsheet reads it: with the minus of a keyboard."""
    return "" if figure.value is None else shown(figure, unit=False).replace("−", "-")


def _note(figure: Figure) -> str:
    return f"{figure.measure.title}: {' '.join(doubt_of(figure).removesuffix('.').split())}"


def _level(row: Sequence[Figure]) -> str:
    return row[0].level[:1].upper() + row[0].level[1:]
