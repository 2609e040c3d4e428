"""`spineseg dataset`: import, audit, repair and export labelled scans."""

from collections.abc import Sized
from pathlib import Path
from typing import Annotated

import typer

from napari_spineseg.cli.console import Console, show
from napari_spineseg.cli.options import JsonLines, OutputFolder, command_app, takes
from napari_spineseg.cli.outputs import folder_for
from napari_spineseg.datasets.cases import find_cases
from napari_spineseg.datasets.export import ExportSettings, export_slices, why_none
from napari_spineseg.datasets.findings import AuditReport
from napari_spineseg.errors import DatasetError
from napari_spineseg.strict_json import strict

app = command_app(help="Import, audit, repair and export labelled scans.", no_args_is_help=True)

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="A folder of labelled scans.")]


@app.command("import-spider", short_help="Import SPIDER, as downloaded.")
def import_spider_(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="SPIDER as downloaded and unpacked.")],
    output: OutputFolder,
    validation_share: Annotated[
        float,
        typer.Option(
            metavar="SHARE", min=0, max=0.9, help="Share of patients without a subset that go to val."
        ),
    ] = 0.15,
    json: JsonLines = False,
) -> None:
    """Import SPIDER: train/ and val/ with <name>_image.nii.gz and <name>_levels.nii.gz, and a manifest."""
    from napari_spineseg.datasets.import_spider import import_spider

    console = Console(json)
    with console.hushed(), console.bar(folder.name) as control:
        written = import_spider(folder, output, validation_share, control)
    console.say(f"{_scans(written)} -> {show(output)}")
    console.record({"scans": written, "manifest": output / "manifest.csv"})


@app.command("audit")
def audit_(
    folder: Folder,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="FILE", help="Also write the report as JSON.")
    ] = None,
    repair: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write labels with what is safe repaired (strays, islands) there."),
    ] = None,
    json: JsonLines = False,
) -> None:
    """Report what is inconsistent in a dataset.

    Checked are numbers outside the scheme, missing structures, islands, level order and gaps,
    labels at the border, labels that do not fit the image, and scans or patients in two splits.
    Exits with 0 whatever is found; 2 if the folder holds no labelled scans.
    """
    from napari_spineseg.datasets import audit as job
    from napari_spineseg.io.write import put

    console = Console(json)
    with console.hushed(), console.bar(folder.name) as control:
        found = job.audit(folder, control)
    _print(console, found)
    console.record(found.as_dict())
    if report is not None:
        import json as json_lines

        put(report, (json_lines.dumps(strict(found.as_dict()), indent=1) + "\n").encode())
        console.note(f"Report written to {show(report)}.")
    if repair is not None:
        with console.hushed(), console.bar("repair") as control:
            done = job.repair(folder, repair, control=control)
        words = f"Repaired labels of {len(done)} scan{'s' * (len(done) != 1)} written to {show(repair)}."
        console.note(words if done else "Nothing could be repaired safely; no labels were written.")


def _print(console: Console, report: AuditReport) -> None:
    """The report as a table: a line a scan, and what was found below it."""
    console.line(f"{'scan':28}{'patient':>8}{'split':>7}{'errors':>8}{'warnings':>10}{'notes':>7}")
    for case in report.cases:
        found = report.of(str(case["name"]))
        counts = [sum(f.weight == weight for f in found) for weight in ("error", "warning", "note")]
        console.line(
            f"{case['name']!s:28}{case['patient']!s:>8}{case['split'] or '–':>7}"
            f"{counts[0]:>8}{counts[1]:>10}{counts[2]:>7}"
        )
        for finding in found:
            where = f" [slice {finding.place[0]}]" if finding.place else ""
            console.line(f"    {finding.weight}: {finding.sentence}{where}")
    totals = ", ".join(f"{name} {number}" for name, number in report.counts().items())
    console.line(f"{_scans(report.cases)}; {totals or 'nothing found'}")


@app.command("export-slices", short_help="Export sagittal slices as PNG pairs.")
@takes(ExportSettings)
def export_(
    folder: Folder,
    output: OutputFolder,
    settings: ExportSettings,
    sequence: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Only scans of this sequence: t1, t2 or t2_SPACE, as named in files."
        ),
    ] = None,
    json: JsonLines = False,
) -> None:
    """Export sagittal slices as PNG pairs: images/ and masks/, 76 vertebra, 29 disc, 150 canal."""
    console = Console(json)
    cases = [case for case in find_cases(folder) if case.image is not None]
    if sequence is not None:
        cases = [case for case in cases if case.sequence.lower() == sequence.lower()]
    if not cases:
        raise DatasetError(
            f"{folder} holds no images with labels" + (f" of {sequence}." if sequence else ".")
        )
    there: list[int] = []
    with folder_for(output), console.hushed(), console.bar(folder.name) as control:
        written = export_slices(
            cases, output, settings, control, lambda case, kept, slices: there.append(slices)
        )
    if not written:
        console.warn(f"None of {sum(there)} slices was kept: {why_none(settings)}.")
    console.say(f"{len(written)} of {sum(there)} slices of {_scans(cases)} -> {show(output)}")
    console.record({"slices": len(written), "of": sum(there), "scans": len(cases), "output": output})


@app.command("prepare", short_help="Prepare a folder for `spineseg pretrain`.")
def prepare_(
    folder: Folder,
    output: OutputFolder,
    masks: Annotated[
        bool, typer.Option("--masks", help="Labels alone: paint tissues to draw images from in training.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of the painted tissues.")] = 0,
    json: JsonLines = False,
) -> None:
    """Prepare a folder for `spineseg pretrain`: one spacing, 8 bit, one file a scan."""
    from napari_spineseg.datasets.prepare import prepare_masks, prepare_release, prepare_scans

    console = Console(json)
    if not folder.is_dir():
        raise DatasetError(f"{folder} is not a folder.")
    with folder_for(output), console.hushed(), console.bar(folder.name) as control:
        if masks:
            labels = [case.labels for case in find_cases(folder) if not case.slices]
            written = prepare_masks(labels, output, seed, control)
        elif (folder / "images").is_dir():
            written = prepare_release(folder, output, control)
        else:
            written = prepare_scans(folder, output, control)
    console.say(f"{len(written)} prepared volumes -> {show(output)}")
    console.record({"volumes": written})


def _scans(some: Sized) -> str:
    return f"{len(some)} scan{'' if len(some) == 1 else 's'}"
