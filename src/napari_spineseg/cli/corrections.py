"""`spineseg corrections`: a corrections store without a screen."""

from pathlib import Path
from typing import Annotated, Any

import typer

from napari_spineseg.anatomy import structure_of
from napari_spineseg.cli.console import Console, show
from napari_spineseg.cli.options import JsonLines, command_app
from napari_spineseg.corrections.export import Layout, doubts, export
from napari_spineseg.corrections.store import (
    CorrectionsStore,
    Entry,
    ReviewState,
    check_correction,
    default_store,
)
from napari_spineseg.io.guard import refuse
from napari_spineseg.io.labels import may_be_labels, segmentation_of
from napari_spineseg.io.read import read_only_scan, read_only_volume
from napari_spineseg.io.record import place_of_record, read_record
from napari_spineseg.scan import Segmentation

app = command_app(help="Fill, list and export a corrections store.", no_args_is_help=True)

Store = Annotated[
    Path,
    typer.Option(
        "--store",
        metavar="DIR",
        help="The corrections store.",
        default_factory=default_store,
        show_default=False,
    ),
]
State = Annotated[ReviewState | None, typer.Option(help="Only scans in this state.")]


@app.command("add", short_help="Put a scan and its corrected labels into the store.")
def add(
    scan: Annotated[Path, typer.Argument(metavar="SCAN", help="A scan, as for `segment`.")],
    labels: Annotated[Path, typer.Argument(metavar="LABELS", help="Its corrected labels, on its grid.")],
    store: Store,
    prediction: Annotated[
        Path | None, typer.Option(metavar="SEG", help="The segmentation that was corrected.")
    ] = None,
    model: Annotated[
        str, typer.Option(metavar="NAME", help="Name of the model that made it, if its file does not say.")
    ] = "",
    author: Annotated[str, typer.Option(metavar="NAME", help="Who corrected it.")] = "",
    note: Annotated[str, typer.Option(metavar="TEXT", help="Anything worth remembering.")] = "",
    state: Annotated[ReviewState, typer.Option(help="Where the review is.")] = "done",
    json: JsonLines = False,
) -> None:
    """Put a scan and its corrected labels into the store, as a new version."""
    console = Console(json)
    with console.hushed(), console.bar(scan.name) as control:
        control.step("Reading", 0, 2)
        image, corrected = read_only_scan(scan), _read_labels(labels)
        predicted = _read_labels(prediction) if prediction is not None else None
        check_correction(image, corrected, predicted)
        by, doubt = _model(prediction, predicted, model)
        control.step("Storing", 1, 2)
        kept = CorrectionsStore(store, create=True)
        version = kept.add_correction(image, corrected, predicted, model=by, author=author, note=note)
        entry = kept.find(image)
        entry.say(state, author=author)
    told = ((scan, image.warnings), (labels, corrected.warnings))
    warnings = [f"{show(path)}: {warning}" for path, some in told for warning in some]
    warnings += filter(None, [doubt])
    for warning in warnings:
        console.warn(warning)
    console.record(_row(entry) | {"version": version.number, "warnings": warnings})
    console.say(f"{entry.name}: version {version.number} in {show(entry.folder)}")


@app.command("list")
def list_entries(store: Store, state: State = None, json: JsonLines = False) -> None:
    """List the scans of the store."""
    console = Console(json)
    kept = CorrectionsStore(store)
    entries = kept.entries(state)
    if entries:
        console.line(f"{'scan':28}{'state':14}{'versions':>9}  {'model':20}last changed")
    for entry in entries:
        row = _row(entry)
        console.record(row)
        model = "@".join(str(row["model"][k]) for k in ("name", "version") if k in row["model"]) or "–"
        console.line(
            f"{entry.name:28}{row['state']:14}{row['versions']:>9}  {model:20}{row['changed_at'] or '–'}"
        )
    for problem in kept.damaged():
        console.warn(problem)
    if not entries:
        console.say("There is no such scan in the store." if state else "The store is empty.")


@app.command("export", short_help="Write scans and labels in a layout that others read.")
def export_entries(
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="A new folder.")],
    store: Store,
    layout: Annotated[
        Layout, typer.Option(help="Plain images/ and labels/, nnU-Net's raw layout, or BIDS derivatives.")
    ] = "folders",
    state: State = None,
    json: JsonLines = False,
) -> None:
    """Write scans and their latest versions in a layout that other programs read."""
    console = Console(json)
    entries = CorrectionsStore(store).entries(state)
    with console.hushed(), console.bar("export") as control:
        files = export(entries, output, layout, control)
    for doubt in doubts(entries, layout):
        console.warn_once(doubt)
    for file in files:
        console.record({"labels": file})
    console.say(f"{len(files)} scan{'s' if len(files) != 1 else ''} in {show(output)}")


def _read_labels(path: Path) -> Segmentation:
    """What a person says are labels.

    Raises
    ------
    ScanError
        If they cannot be: an image, or numbers that are nobody's levels or structures.
    """
    raw = read_only_volume(path)
    if not may_be_labels(raw):
        refuse(path, "holds an image, not labels; give the labels that were corrected after the scan")
    segmentation = segmentation_of(raw, path)
    found = segmentation.found()
    if found and not any(structure_of(label, segmentation.scheme) for label in found):
        numbers = ", ".join(map(str, list(found)[:8]))
        refuse(path, f"holds no label of a vertebra, disc, canal or tumour, only {numbers}")
    return segmentation


def _row(entry: Entry) -> dict[str, object]:
    """What `list --json` prints of a scan."""
    latest = entry.latest
    return {
        "scan": entry.name,
        "sha256": entry.identity.sha256,
        "state": entry.state,
        "versions": len(entry.versions),
        "changed_at": latest.about.get("created") if latest else None,
        "changed": latest.about.get("changed") if latest else None,
        "seconds": latest.about.get("seconds") if latest else None,
        "model": dict(entry.model),
        "notes": entry.notes,
        "unfinished": len(entry.unfinished()),
        "folder": entry.folder,
    }


def _model(prediction: Path | None, predicted: Segmentation | None, name: str) -> tuple[dict[str, Any], str]:
    """The model behind a prediction, and a warning: what was said, else what the record beside the file says.

    A prediction that was changed since is no model's any more.
    """
    if name:
        return {"name": name}, ""
    place = place_of_record(prediction) if prediction is not None else None
    record = read_record(place) if place is not None else None
    if record is None:
        return {}, ""
    if not record.fits(predicted):
        words = f"{show(prediction)}: {record.change(place)} So no model is named for them; --model would."
        return {}, words
    return record.model.model_dump(), ""
