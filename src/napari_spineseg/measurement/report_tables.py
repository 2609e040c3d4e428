"""The report's tables: a row a level, a column a measure, and a note for what is missing or doubtful."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

from napari_spineseg.anatomy import colour_of
from napari_spineseg.measurement.catalogue import CATALOGUE, Measure, Of
from napari_spineseg.measurement.figures import Figure, Measurements
from napari_spineseg.measurement.table import shown

_KINDS: dict[Of, str] = {"vertebra": "Vertebrae", "disc": "Discs", "spine": "The whole spine"}
_BESIDE_THE_DISC = ("slip", "canal")


def text(value: object) -> str:
    """`value` as it may stand in HTML, in a text or an attribute; what cannot be printed is spelt out."""
    whole = str(value).encode("utf-8", "backslashreplace").decode()
    return escape("".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in whole))


@dataclass
class Notes:
    """Sentences that several figures may refer to, numbered through the whole report."""

    last: int = 0
    _numbers: dict[str, int] = field(default_factory=dict)

    def reference(self, sentence: str) -> str:
        """A raised number that leads to `sentence`."""
        if sentence not in self._numbers:
            self.last += 1
            self._numbers[sentence] = self.last
        number = self._numbers[sentence]
        return f'<sup><a href="#note{number}" aria-label="note {number}">{number}</a></sup>'

    def taken(self) -> str:
        """The sentences since the last call, as a list; empty where there are none."""
        items = "".join(
            f'<li id="note{number}"><sup>{number}</sup> {text(_sentence(words))}</li>'
            for words, number in self._numbers.items()
        )
        self._numbers = {}
        return f'<ul class="notes">{items}</ul>' if items else ""


def tables(measurements: Measurements) -> str:
    """Vertebrae, discs, what is measured at the height of discs, and the spine as a whole."""
    notes = Notes()
    discs = _measures(measurements, "disc")
    beside = [m for m in discs if m.key.startswith(_BESIDE_THE_DISC)]
    parts = (
        _table(_KINDS["vertebra"], measurements, _measures(measurements, "vertebra"), notes),
        _table(_KINDS["disc"], measurements, [m for m in discs if m not in beside], notes),
        _table("Slip and canal at the discs", measurements, beside, notes),
        _spine(measurements, notes),
    )
    return "\n".join(part for part in parts if part)


def tumour_table(tumours: Sequence[Mapping[str, Any]]) -> str:
    """Each tumour of `tumours_of` with its place and size; empty where there are none."""
    if not tumours:
        return ""
    heads = (("Tumour", ""), ("Place", ""), ("Largest diameter", "mm"), ("Volume", "ml"))
    head = "".join(f'<th scope="col">{title} <span class="unit">{unit}</span></th>' for title, unit in heads)
    rows = "".join(
        f'<tr><th scope="row">{_swatch(t["label"])}{text(t["name"])}</th><td>{text(t["place"])}</td>'
        f"<td>{t['mm']:.1f}</td><td>{t['ml']:.2f}</td></tr>"
        for t in tumours
    )
    return (
        '<div class="scroll"><table class="figures"><caption>Tumours</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def definitions(measurements: Measurements) -> str:
    """What each measure in the tables means, and whose definition that is."""
    groups = "".join(_defined(title, _measures(measurements, of)) for of, title in _KINDS.items())
    head = "".join(f'<th scope="col">{word}</th>' for word in ("Measure", "Unit", "Definition", "Source"))
    return f'<table class="definitions"><thead><tr>{head}</tr></thead>{groups}</table>'


def _defined(title: str, measures: Sequence[Measure]) -> str:
    rows = "".join(
        f'<tr><th scope="row">{text(m.title)}</th><td>{text(m.unit or "ratio")}</td>'
        f"<td>{text(m.definition)}</td><td>{text(m.source)}</td></tr>"
        for m in measures
    )
    group = f'<tr><th class="group" colspan="4" scope="rowgroup">{title}</th></tr>'
    return f"<tbody>{group}{rows}</tbody>" if rows else ""


def _measures(measurements: Measurements, of: Of) -> list[Measure]:
    used = {figure.key for figure in measurements.figures}
    return [measure for measure in CATALOGUE.values() if measure.of == of and measure.key in used]


def _table(title: str, measurements: Measurements, measures: Sequence[Measure], notes: Notes) -> str:
    """Levels from the top of the body down, as the picture shows them."""
    rows = []
    for level in reversed(measurements.levels):
        figures = measurements.of(level)
        if any(measure.key in figures for measure in measures):
            label = next(iter(figures.values())).label
            cells = "".join(_cell(figures.get(measure.key), notes) for measure in measures)
            rows.append(f'<tr><th scope="row">{_swatch(label)}{text(level)}</th>{cells}</tr>')
    if not rows:
        return ""
    head = "".join(_heading(measure) for measure in measures)
    return (
        f'<div class="scroll"><table class="figures"><caption>{text(title)}</caption>'
        f'<thead><tr><th scope="col">Level</th>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>{notes.taken()}</div>"
    )


def _spine(measurements: Measurements, notes: Notes) -> str:
    figures: Iterable[Figure] = (f for f in measurements.figures if f.measure.of == "spine")
    rows = "".join(
        f'<tr><th scope="row">{text(f.measure.title)}</th>{_cell(f, notes, unit=True)}</tr>' for f in figures
    )
    if not rows:
        return ""
    return (
        '<div class="scroll"><table class="figures"><caption>' + _KINDS["spine"] + "</caption>"
        '<thead><tr><th scope="col">Measure</th><th scope="col">Figure</th></tr></thead>'
        f"<tbody>{rows}</tbody></table>{notes.taken()}</div>"
    )


def _heading(measure: Measure) -> str:
    unit = f'<span class="unit">{text(measure.unit or "ratio")}</span>'
    return f'<th scope="col" title="{text(measure.definition)}">{text(measure.title)} {unit}</th>'


def _cell(figure: Figure | None, notes: Notes, unit: bool = False) -> str:
    """A figure; where it is missing or doubtful, with the reason on hover and in a note."""
    if figure is None:
        return "<td></td>"
    words = text(shown(figure, unit))
    reason = figure.reason if figure.value is None else figure.caution
    if not reason:
        return f"<td>{words}</td>"
    kind, mark = ("none", "") if figure.value is None else ("doubt", " !")
    return f'<td class="{kind}" title="{text(_sentence(reason))}">{words}{mark}{notes.reference(reason)}</td>'


def _swatch(label: int) -> str:
    return f'<span class="swatch" style="background:{colour_of(label)}"></span>' if label else ""


def _sentence(words: str) -> str:
    """A reason as a sentence."""
    return words[:1].upper() + words[1:] + ("" if words.endswith((".", "!", "?")) else ".")
