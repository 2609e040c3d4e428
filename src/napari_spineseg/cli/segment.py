"""`spineseg segment`: scans to segmentations, each with a record of how it was made."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from napari_spineseg import io
from napari_spineseg.cli.console import Console
from napari_spineseg.cli.options import JsonLines, OutputFolder, Overwrite, Series, Volume, command_app, takes
from napari_spineseg.cli.outputs import Outputs, folder_for, plan, write_json
from napari_spineseg.cli.run import Reading, Run, do_all
from napari_spineseg.errors import ModelError, SettingsError
from napari_spineseg.io.record import structures_of
from napari_spineseg.models import get_model
from napari_spineseg.progress import Control
from napari_spineseg.scan import Scan
from napari_spineseg.segment import SegmentResult, SegmentSettings, segment

app = command_app()


@app.command()
@takes(SegmentSettings)
def command(
    scans: Annotated[list[Path], typer.Argument(metavar="SCAN", help="Scan files or DICOM folders.")],
    output: OutputFolder,
    settings: SegmentSettings,
    volume: Volume = None,
    series: Series = None,
    overwrite: Overwrite = False,
    json: JsonLines = False,
) -> None:
    """Segment scans: DIR/<stem>_seg.nii.gz on each scan's own grid, and <stem>_seg.json beside it.

    Reads NIfTI, MHA, MHD, NRRD, TIFF, DICOM files and DICOM folders. Put -- before names that
    start with a dash. Exits with 0 if all went well, 2 if a scan or the call was bad.
    """
    get_model(settings.model)
    jobs, remarks = plan(scans, output)
    with folder_for(output):
        console = Console(json)
        for remark in remarks:
            console.warn(remark)
        raise typer.Exit(do_all(SegmentRun(Reading(volume, series), overwrite, settings), jobs, console))


@dataclass(frozen=True)
class SegmentRun(Run):
    """One call of the command."""

    settings: SegmentSettings

    faults_of_the_call = (ModelError, SettingsError)
    overlaps = True

    def more_files(self, job: Outputs) -> tuple[Path, ...]:
        """The map of doubt, where it was asked for."""
        return (job.beside,) if self.settings.uncertainty else ()

    def work(self, job: Outputs, control: Control) -> tuple[str, dict[str, Any]]:
        """Segment one scan."""
        started = time.perf_counter()
        scan = self.read(job.scan)
        checksums = io.checksums_of(job.scan)
        read = time.perf_counter()
        result = segment(scan, self.settings, control)
        segmented = time.perf_counter()
        with job.being_written() as staged:
            io.write_segmentation(result.segmentation, staged.segmentation)
            if result.uncertainty is not None:
                _write_uncertainty(scan, result.uncertainty, staged.beside)
            written = time.perf_counter()
            seconds = {"read": read - started, **result.seconds, "write": written - segmented}
            source = {"path": job.scan.absolute(), **checksums, **self.read.picked()}
            record = record_of(source, scan, result, seconds | {"total": written - started})
            record["warnings"] = job.warnings(*record["warnings"])
            write_json(record, staged.record)
        return result.summary, record


def record_of(
    source: dict[str, Any], scan: Scan, result: SegmentResult, seconds: dict[str, float]
) -> dict[str, Any]:
    """What goes into `<stem>_seg.json`. `source` is the scan's path and sha256, and what of it was taken."""
    segmentation = result.segmentation
    return {
        **segmentation.provenance,
        "input": source,
        "summary": result.summary,
        "structures": structures_of(segmentation),
        "seconds": {stage: round(value, 4) for stage, value in seconds.items()},
        "warnings": list(dict.fromkeys((*scan.warnings, *segmentation.warnings))),
    }


def _write_uncertainty(scan: Scan, uncertainty: np.ndarray, path: Path) -> None:
    # NIfTI knows no half precision.
    io.write_scan(scan.with_voxels(uncertainty.astype(np.float32)), path)
