"""The report: one HTML file that needs nothing beside it, to be read on a screen or printed on A4."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping
from typing import Any

from napari_spineseg.measurement.figures import Measurements
from napari_spineseg.measurement.picture import Picture, pictures_of
from napari_spineseg.measurement.report_style import STYLE
from napari_spineseg.measurement.report_tables import definitions, tables, text, tumour_table
from napari_spineseg.measurement.settings import MeasureSettings
from napari_spineseg.scan import Scan, Segmentation

_USE = (
    "<strong>Research use only.</strong> SpineSeg is not a medical device. Do not base a diagnosis or a "
    "treatment on these figures."
)
_NO_PICTURE = "No vertebra, disc or canal is labelled, so there is no picture."
# Nothing but the page itself: a name that slipped through could still load and run nothing.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def report_html(
    measurements: Measurements, segmentation: Segmentation, scan: Scan | None, record: Mapping[str, Any]
) -> str:
    """The report as HTML.

    Parameters
    ----------
    segmentation, scan
        What was measured, for the picture; the scan on the segmentation's grid.
    record
        What `record_of` gives.
    """
    name = text(record["input"]["name"])
    pictures = "".join(map(_figure, pictures_of(measurements, segmentation, scan))) or f"<p>{_NO_PICTURE}</p>"
    parts = (
        "<!DOCTYPE html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>Measurements of {name}</title>",
        f"<style>{STYLE}</style></head><body>",
        f"<header><h1>Measurements of {name}</h1><p>{text(_opening(record))}</p></header>",
        f'<p class="use">{_USE}</p>',
        _warnings(record["warnings"]),
        f'<main><section class="pictures" aria-label="Pictures">{pictures}</section>',
        tables(measurements),
        tumour_table(record["tumours"]),
        f"<section><h2>Definitions</h2>{definitions(measurements)}</section>" if measurements.figures else "",
        f"<section><h2>What was measured with what</h2>{_about(record)}</section></main>",
        "<footer>Every figure, its definition and the places between which it was taken are also in the "
        "JSON file beside this report.</footer>",
        "</body></html>",
    )
    return "\n".join(part for part in parts if part) + "\n"


def _opening(record: Mapping[str, Any]) -> str:
    summary = str(record["summary"])
    return f"{summary[:1].upper()}{summary[1:]}. “–”: not known, “!”: doubtful; the notes say why."


def _warnings(warnings: list[str]) -> str:
    if not warnings:
        return ""
    items = "".join(f"<li>{text(warning)}</li>" for warning in warnings)
    return f'<section class="warnings"><h2>Look at this first</h2><ul>{items}</ul></section>'


def _figure(picture: Picture) -> str:
    data = b64encode(picture.png).decode("ascii")
    height, width = picture.pixels.shape[:2]
    return (
        # As wide as it is for its height, so that pictures side by side are of one height.
        f'<figure style="flex-grow:{width / height:.4f}"><img src="data:image/png;base64,{data}" '
        f'width="{width}" height="{height}" alt="{text(picture.alt)}">'
        f"<figcaption>{text(picture.caption)}</figcaption></figure>"
    )


def _about(record: Mapping[str, Any]) -> str:
    rows = "".join(f'<tr><th scope="row">{text(k)}</th><td>{text(v)}</td></tr>' for k, v in _facts(record))
    return f'<table class="about"><tbody>{rows}</tbody></table>'


def _facts(record: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What the figures are of and how they were made.

    Names of files without their folders: those may name people, and a report is passed on.
    """
    yield "Segmentation", _file(record["input"])
    yield "Scan", _file(record["scan"]) if record["scan"] else "not given"
    yield "Segmented by", _model(record)
    numbering, grid = record["numbering"], record["grid"]
    yield "Counted as", f"{numbering['lumbar']} lumbar and {numbering['thoracic']} thoracic vertebrae"
    sizes = (" × ".join(f"{v:g}" for v in grid[key]) for key in ("shape", "spacing_mm"))
    yield "Voxels", "{} of {} mm, {}".format(*sizes, grid["orientation"])
    for name, value in record["settings"].items():
        if name != "report":
            words = f"{value:g}" if isinstance(value, float) else str(value)
            yield MeasureSettings.model_fields[name].title or name, words
    yield "Measured by", f"SpineSeg {record['versions']['spineseg']}"


def _model(record: Mapping[str, Any]) -> str:
    model = record["model"]
    if not isinstance(model, Mapping):
        return "not known"
    words = f"{model.get('name')} {model.get('version')}, SHA-256 {model.get('sha256')}"
    return f"{words}; changed since" if record["source"].get("labels_changed_since") else words


def _file(known: Mapping[str, Any]) -> str:
    parts = [str(known["name"])]
    parts += [f"{key} {known[key]}" for key in ("volume", "series") if key in known]
    return ", ".join(parts + ([f"SHA-256 {known['sha256']}"] if "sha256" in known else []))
