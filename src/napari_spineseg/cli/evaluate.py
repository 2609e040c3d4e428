"""`spineseg evaluate`: segmentations against reference labels."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

import typer

from napari_spineseg.cli.console import Console
from napari_spineseg.cli.options import command_app
from napari_spineseg.cli.run import BAD, DONE, INTERRUPTED, terminated_like_interrupted
from napari_spineseg.errors import SpineSegError
from napari_spineseg.evaluation import CaseReport, Pair, annotated, compare, find_pairs, left_over, summarise

app = command_app()

# Names and units of the columns; what has no unit is a share.
_COLUMNS = {
    "dice": "Dice",
    "iou": "IoU",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "asd": "ASD mm",
    "assd": "ASSD mm",
    "hd95": "HD95 mm",
    "nsd": "NSD 1 mm",
    "volume_error": "dVol ml",
    "found": "found",
    "levels": "levels",
}


@app.command()
def command(
    predictions: Annotated[Path, typer.Argument(metavar="PREDICTIONS", help="A segmentation, or a folder.")],
    references: Annotated[Path, typer.Argument(metavar="REFERENCES", help="Its labels, or a folder.")],
    json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line: scans, then the means.")
    ] = False,
) -> None:
    """Compare segmentations with reference labels, per structure, level and patient.

    In folders, files belong together by name: x_seg.nii.gz and x_labels.nii.gz. Structures that
    no reference labels are not scored.
    """
    console = Console(json)
    pairs = find_pairs(predictions, references)
    for words in left_over(pairs, predictions, references):
        console.warn(words)
    reports: list[CaseReport] = []
    try:
        with terminated_like_interrupted():
            # One by one: what was compared before a stop is not lost.
            reports.extend(_compared(pairs, console))
    except KeyboardInterrupt:
        console.note(f"Stopped: {len(reports)} of {len(pairs)} scans were compared; their figures follow.")
        status = INTERRUPTED
    else:
        status = DONE if len(reports) == len(pairs) else BAD
    _tell(console, reports)
    raise typer.Exit(status)


def _compared(pairs: list[Pair], console: Console) -> Iterator[CaseReport]:
    """The figures of each pair that could be compared, as they come."""
    for number, pair in enumerate(pairs, start=1):
        try:
            with console.hushed(), console.bar(pair.scan) as control:
                control.step(f"{number} of {len(pairs)}", number - 1, len(pairs))
                report = compare(pair)
        except SpineSegError as error:
            console.fail(pair.predicted, error)
            console.record({"scan": pair.scan, "status": "failed", "error": str(error)})
        else:
            yield report


def _tell(console: Console, compared: list[CaseReport]) -> None:
    reports, unlabelled = annotated(compared)
    for report in reports:
        for warning in report.warnings:
            console.warn(warning)
        console.record(report.as_dict())
    if not reports:
        return
    if unlabelled:
        console.note(f"Not scored, because no reference labels it: {', '.join(unlabelled)}.")
    summary = summarise(reports)
    console.record({"summary": summary})
    _print_tables(console, reports, summary)


def _print_tables(console: Console, reports: list[CaseReport], summary: Mapping[str, Mapping]) -> None:
    for report in reports:
        _table(console, f"{report.pair.scan} (patient {report.pair.patient})", report.structures)
    if len(reports) > 1:
        _table(console, f"Mean of {len(reports)} scans", summary["structures"])
        _table(console, f"Mean of {len(summary['patients'])} patients", summary["over_patients"])
        for title, worst in summary["worst"].items():
            console.line(f"  worst {title}: Dice {worst['dice']:.4f} in {worst['scan']}")
    _table(console, "By level", summary["levels"])
    _table(console, "Instances: share found, and share with the right level", summary["instances"])


def _table(console: Console, title: str, rows: Mapping[str, Mapping[str, float]]) -> None:
    """Print named rows of figures; a figure that cannot be known is a dash."""
    if not rows:
        return
    columns = list(dict.fromkeys(name for row in rows.values() for name in row))
    console.line(title)
    console.line(f"  {'':14}" + "".join(f"{_COLUMNS.get(name, name):>11}" for name in columns))
    for name, row in rows.items():
        console.line(f"  {name:14}" + "".join(f"{_figure(row.get(column)):>11}" for column in columns))


def _figure(value: float | None) -> str:
    return "–" if value is None or not math.isfinite(value) else f"{value:.4f}"
