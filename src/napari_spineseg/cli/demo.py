"""`spineseg demo`: the main job on a bundled sample scan."""

import os
import sys
from itertools import chain, count
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from napari_spineseg.cli.console import Console, show
from napari_spineseg.cli.options import command_app
from napari_spineseg.cli.outputs import folder_for
from napari_spineseg.errors import SpineSegError
from napari_spineseg.sample_data import sample_path
from napari_spineseg.scan import Segmentation
from napari_spineseg.segment import SegmentSettings, segment

FOLDER = Path("demo-output")


app = command_app()


@app.command()
def command(
    headless: Annotated[bool, typer.Option("--headless", help="Write files, open no window.")] = False,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for the files.")
    ] = FOLDER,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout about the files.")] = False,
) -> None:
    """Segment a bundled sample scan and open napari with the result.

    Without a display, or with --headless, writes the segmentation and a PNG overview instead.
    """
    scan_path = sample_path()
    if headless or not has_display():
        write_files(scan_path, output, Console(json))
    else:
        open_window(scan_path)


def write_files(scan_path: Path, folder: Path, console: Console) -> None:
    """Segment `scan_path`, write the segmentation and its overview, and say where they are."""
    from napari_spineseg import io
    from napari_spineseg.overview import write_overview

    with folder_for(folder), console.hushed(), console.bar(scan_path.name) as control:
        scan = io.read_scan(scan_path)
        result = segment(scan, SegmentSettings(), control)
        stem = _stem(folder, scan.name, result.segmentation)
        labels, picture = folder / f"{stem}_seg.nii.gz", folder / f"{stem}_overview.png"
        io.write_segmentation(result.segmentation, labels)
        write_overview(scan, result.segmentation, picture, f"{scan.name}: {result.summary}")
    for warning in (*scan.warnings, *result.segmentation.warnings):
        console.warn_once(warning)
    console.record(
        {
            "segmentation": labels.absolute(),
            "overview": picture.absolute(),
            "summary": result.summary,
            "seconds": result.seconds,
            "warnings": [*scan.warnings, *result.segmentation.warnings],
        }
    )
    console.say(f"Found {result.summary}, in {sum(result.seconds.values()):.1f} s.")
    console.say(f"Segmentation: {show(labels.absolute())}")
    console.say(f"Overview: {show(picture.absolute())}")
    if not has_display():
        console.say("There is no display here. With one, this command opens napari with the result.")


def _stem(folder: Path, name: str, found: Segmentation) -> str:
    """`name`, numbered past files with other labels: somebody may have corrected those of an earlier call."""
    stems = chain([name], (f"{name}_{number}" for number in count(2)))
    return next(s for s in stems if _may_be_written(folder / f"{s}_seg.nii.gz", found))


def _may_be_written(path: Path, found: Segmentation) -> bool:
    """Whether nothing is lost: no file is there, or one with the same labels."""
    from napari_spineseg import io

    if not os.path.lexists(path):
        return True
    try:
        there = io.read_segmentation(path)
    except SpineSegError:
        return False
    return there.grid.same_place_as(found.grid) and np.array_equal(there.labels, found.labels)


def open_window(scan_path: Path) -> None:
    """Open napari on the sample, press *Segment*, and stay until the window is closed."""
    try:
        import napari

        viewer = napari.Viewer(title="SpineSeg demo")
    except ImportError as error:
        raise SpineSegError(
            f"napari has no window toolkit here ({error}); install spineseg[all], or add --headless."
        ) from error
    viewer.open(scan_path, plugin="spineseg")
    _, dock = viewer.window.add_plugin_dock_widget("spineseg", "SpineSeg")
    dock.show_page("Segment").segment()
    napari.run()


def has_display() -> bool:
    """Whether a window can be opened."""
    if sys.platform.startswith("linux"):
        return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    return True
