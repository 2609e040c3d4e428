"""`spineseg measure`: segmentations to figures, each with its unit, and a report to read and print."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_spineseg import io
from napari_spineseg.cli.console import Console, show
from napari_spineseg.cli.options import JsonLines, OutputFolder, Overwrite, command_app, takes
from napari_spineseg.cli.outputs import MEASURED, Outputs, folder_for, plan, write_json
from napari_spineseg.cli.run import Reading, Run, do_all
from napari_spineseg.errors import SettingsError
from napari_spineseg.measurement import MeasureSettings, measure
from napari_spineseg.measurement.given import open_segmentation, scan_for
from napari_spineseg.measurement.record import record_of
from napari_spineseg.measurement.report import report_html
from napari_spineseg.measurement.table import csv_text
from napari_spineseg.progress import Control
from napari_spineseg.scan import Scan, Segmentation

app = command_app()


@app.command()
@takes(MeasureSettings)
def command(
    segmentations: Annotated[
        list[Path], typer.Argument(metavar="SEG", help="Segmentations with levels, in any format.")
    ],
    output: OutputFolder,
    settings: MeasureSettings,
    scan: Annotated[
        Path | None,
        typer.Option(
            metavar="SCAN", help="What was segmented: for signal, and for the picture. Of one SEG only."
        ),
    ] = None,
    volume: Annotated[
        int | None, typer.Option(metavar="N", help="Which volume of a 4D SCAN, counted from 0.", min=0)
    ] = None,
    series: Annotated[
        str | None,
        typer.Option(
            metavar="SERIES", help="Which series of a DICOM folder SCAN: its number, description or UID."
        ),
    ] = None,
    overwrite: Overwrite = False,
    json: JsonLines = False,
) -> None:
    """Measure segmentations: DIR/<stem>_measures.csv and .json, and DIR/<stem>_report.html to read.

    Takes what `spineseg segment` wrote, or labels in its numbers (1 = L5 and upward, 100 = canal,
    201 = disc L5/S1 and upward). Put -- before names that start with a dash. Exits with 0 if all
    went well, 2 if a segmentation or the call was bad.
    """
    jobs, remarks = plan(segmentations, output, MEASURED, [scan] if scan else [])
    if scan is None and (volume is not None or series is not None):
        raise SettingsError("--volume and --series pick of the scan; name it with --scan.")
    if scan is not None and len(jobs) > 1:
        raise SettingsError(
            f"--scan is the scan of one segmentation, and this call has {len(jobs)}; measure them one by one."
        )
    if scan is not None and scan.resolve() == jobs[0].scan.resolve():
        raise SettingsError("--scan names the segmentation itself; name the scan that it was made from.")
    run = MeasureRun(Reading(volume, series), overwrite, settings, scan)
    with folder_for(output):
        console = Console(json)
        for remark in remarks:
            console.warn(remark)
        raise typer.Exit(do_all(run, jobs, console))


@dataclass(frozen=True)
class MeasureRun(Run):
    """One call of the command."""

    settings: MeasureSettings
    scan: Path | None = None

    def more_files(self, job: Outputs) -> tuple[Path, ...]:
        """The report, unless it was declined."""
        return (job.beside,) if self.settings.report else ()

    def work(self, job: Outputs, control: Control) -> tuple[str, dict[str, Any]]:
        """Measure one segmentation."""
        segmentation = open_segmentation(job.scan)
        segmentation = replace(segmentation, warnings=tuple(job.warnings(*segmentation.warnings)))
        files = {"input": {"path": job.scan.absolute(), **io.checksums_of(job.scan)}}
        scan = None
        if self.scan is not None:
            scan = scan_for(segmentation, self.read(self.scan))
            files["scan"] = {
                "path": self.scan.absolute(),
                **io.checksums_of(self.scan),
                **self.read.picked(),
            }
            segmentation = _with_doubt(segmentation, scan, files["scan"]["sha256"])
        if not self.settings.report and job.beside.exists():
            segmentation = _warned(
                segmentation, f"{show(job.beside)} is of an earlier call and was not made anew."
            )
        measurements = measure(segmentation, scan, self.settings, control)
        record = record_of(measurements, segmentation, scan, self.settings, files)
        with job.being_written() as staged:
            staged.main.write_text(csv_text(measurements), encoding="utf-8")
            if self.settings.report:
                control.step("Drawing the report", 0, 1)
                page = report_html(measurements, segmentation, scan, record)
                staged.beside.write_text(page, encoding="utf-8")
            write_json(record, staged.record)
        return record["summary"], record


def _with_doubt(segmentation: Segmentation, scan: Scan, sha256: str) -> Segmentation:
    """The segmentation with the scan's warnings, and one if its record tells of another file."""
    found = _warned(segmentation, *scan.warnings)
    made_from = segmentation.provenance.get("segmented_from")
    if made_from is None or made_from["sha256"] in ("", sha256):
        return found
    return _warned(
        found,
        f"The record of these labels says that they were made from another file than {scan.name} "
        f"({Path(made_from['path']).name}), or the scan has changed since.",
    )


def _warned(segmentation: Segmentation, *words: str) -> Segmentation:
    return replace(segmentation, warnings=tuple(dict.fromkeys((*segmentation.warnings, *words))))
