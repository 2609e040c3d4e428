"""`spineseg preprocess`: the preprocessing widget without a screen."""

import json as json_lines
import time
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic.fields import FieldInfo

from napari_spineseg import __version__, io
from napari_spineseg.cli.console import Console, show
from napari_spineseg.cli.options import OutputFolder, Overwrite, Series, Volume, command_app
from napari_spineseg.cli.outputs import BACK, PREPROCESSED, Outputs, folder_for, plan, write_json
from napari_spineseg.cli.run import Reading, Run, do_all
from napari_spineseg.errors import ModelError, SettingsError
from napari_spineseg.preprocess import open_reference, preprocess
from napari_spineseg.preprocessing import (
    STEPS,
    Pipeline,
    bring_back,
    bundled,
    find_preset,
    name_of,
    parse_step,
    step_words,
)
from napari_spineseg.preprocessing.presets import to_content
from napari_spineseg.progress import Control
from napari_spineseg.scan import Scan

app = command_app()

_REMEMBERED_REFERENCES = 2
_LISTING = "spineseg.listing"


def _note_list(context: typer.Context, asked: bool) -> bool:
    return _list_once_known(context, "list", asked)


def _note_json(context: typer.Context, asked: bool) -> bool:
    return _list_once_known(context, "json", asked)


def _list_once_known(context: typer.Context, option: str, asked: bool) -> bool:
    """`--list` needs no scan, so it is met before them; whether as JSON, either option may say first."""
    known = context.meta.setdefault(_LISTING, {})
    known[option] = asked
    if len(known) == 2 and known["list"]:
        _print_list(Console(known["json"]))
        raise typer.Exit()
    return asked


def _print_list(console: Console) -> None:
    """`--list`: every step with its settings and defaults, and every preset."""
    console.line("Steps, as --step NAME or --step NAME:setting=value,setting=value")
    for kind in STEPS:
        console.line(f"  {name_of(kind):18}{kind.help}")
        settings = {name: field for name, field in kind.model_fields.items() if name != "step"}
        for name, field in settings.items():
            console.line(f"    {name}={field.default}  {field.description}")
        fields = [
            {"name": n, "default": _default(field), "help": field.description}
            for n, field in settings.items()
        ]
        console.record({"kind": "step", "name": name_of(kind), "help": kind.help, "settings": fields})
    console.line("Presets, as --preset NAME")
    for name, preset in bundled().items():
        steps = [step_words(step) for step in preset.steps]
        console.line(f"  {name:18}{preset.about}")
        console.line(f"    {' '.join(steps)}")
        console.record({"kind": "preset", "name": name, "help": preset.about, "steps": steps})


def _default(field: FieldInfo) -> object:
    return None if field.is_required() else field.get_default(call_default_factory=True)


@app.command()
def command(
    scans: Annotated[list[Path], typer.Argument(metavar="SCAN", help="Scan files or DICOM folders.")],
    output: OutputFolder,
    preset: Annotated[
        str | None, typer.Option(metavar="NAME|FILE", help="A recipe: bundled, or a .yaml or .json file.")
    ] = None,
    step: Annotated[
        list[str] | None,
        typer.Option(metavar="STEP", help="A step, after those of the preset; may be given several times."),
    ] = None,
    back: Annotated[
        Path | None,
        typer.Option(
            metavar="RECORD",
            help="The other way: SCANs are segmentations of the preprocessed scan that this _prep.json "
            "describes; bring them to the grid of the scan it was made from.",
        ),
    ] = None,
    volume: Volume = None,
    series: Series = None,
    overwrite: Overwrite = False,
    json: Annotated[
        bool,
        typer.Option("--json", is_eager=True, callback=_note_json, help="One JSON object a line on stdout."),
    ] = False,
    list_: Annotated[
        bool,
        typer.Option(
            "--list", is_eager=True, callback=_note_list, help="List the steps and presets, and stop."
        ),
    ] = False,
) -> None:
    """Preprocess scans: DIR/<stem>_prep.nii.gz, and <stem>_prep.json with every step beside it.

    The same recipe gives the same voxels here and in the Preprocess widget. Exits with 0 if all
    went well, 2 if a scan or the call was bad.
    """
    console, reading = Console(json), Reading(volume, series)
    run: Run
    if back is not None:
        if preset or step:
            raise SettingsError("--back takes the steps from its record; leave --preset and --step out.")
        run, kind = BackRun(reading, overwrite, read_history(back)), BACK
    else:
        recipe = recipe_of(preset, step or [])
        run, kind = PreprocessRun(reading, overwrite, recipe), PREPROCESSED
    jobs, remarks = plan(scans, output, kind, [] if back is None else [back])
    with folder_for(output):
        for remark in remarks:
            console.warn(remark)
        raise typer.Exit(do_all(run, jobs, console))


def recipe_of(preset: str | None, steps: list[str]) -> Pipeline:
    """The steps of a preset, then those that were named.

    Raises
    ------
    SettingsError
        If there is no such preset or step, or no step at all.
    """
    base = find_preset(preset) if preset else Pipeline()
    recipe = Pipeline(name=base.name, about=base.about, steps=(*base.steps, *map(parse_step, steps)))
    if not recipe.steps:
        raise SettingsError("Name a --preset or at least one --step; --list shows what there is.")
    return recipe


@dataclass(frozen=True)
class PreprocessRun(Run):
    """One call that applies a recipe."""

    recipe: Pipeline

    faults_of_the_call = (ModelError,)

    def work(self, job: Outputs, control: Control) -> tuple[str, dict[str, Any]]:
        """Preprocess one scan."""
        started = time.perf_counter()
        scan = self.read(job.scan)
        checksums = io.checksums_of(job.scan)
        read = time.perf_counter()
        result = preprocess(scan, self.recipe, control, _reference)
        changed = time.perf_counter()
        with job.being_written() as staged:
            io.write_scan(result, staged.main)
            written = time.perf_counter()
            seconds = {"read": read - started, "steps": changed - read, "write": written - changed}
            record = {
                "input": {"path": job.scan.absolute(), **checksums, **self.read.picked()},
                "recipe": to_content(self.recipe),
                "history": list(result.history),
                "grid": _grid(result),
                "versions": {"spineseg": __version__, "torch": version("torch"), "numpy": version("numpy")},
                "seconds": {name: round(value, 4) for name, value in seconds.items()},
                "warnings": job.warnings(*result.warnings),
            }
            write_json(record, staged.record)
        steps = ", ".join(entry["step"] for entry in result.history)
        size = " × ".join(map(str, result.voxels.shape))
        return f"{steps}; {size} voxels", record


@dataclass(frozen=True)
class BackRun(Run):
    """One call that brings segmentations back."""

    history: tuple[dict[str, Any], ...]

    def work(self, job: Outputs, control: Control) -> tuple[str, dict[str, Any]]:
        """Bring one segmentation back."""
        segmentation = io.read_segmentation(job.scan)
        checksums = io.checksums_of(job.scan)
        result = bring_back(segmentation, self.history, control)
        with job.being_written() as staged:
            io.write_segmentation(result, staged.main)
            record = {
                "input": {"path": job.scan.absolute(), **checksums},
                "history": list(self.history),
                "warnings": job.warnings(*result.warnings),
            }
            write_json(record, staged.record)
        return "back on the grid of " + " × ".join(map(str, result.labels.shape)) + " voxels", record


def read_history(record: Path) -> tuple[dict[str, Any], ...]:
    """The steps that a `_prep.json` tells of.

    Raises
    ------
    SettingsError
        If it is not such a file.
    """
    if record.exists() and not record.is_file():
        raise SettingsError(f"{show(record)} is no file; name the _prep.json of the preprocessed scan.")
    try:
        history = json_lines.loads(record.read_text(encoding="utf-8"))["history"]
        for entry in history:
            entry["step"], entry["settings"], entry["measured"]
    except OSError as error:
        raise SettingsError(f"{show(record)} cannot be read: {error.strerror or error}.") from None
    except (ValueError, KeyError, TypeError):
        raise SettingsError(f"{show(record)} is not the record of a preprocessed scan.") from None
    return tuple(history)


@lru_cache(maxsize=_REMEMBERED_REFERENCES)
def _reference(name: str) -> Scan:
    """A reference is the same for every scan of a call."""
    return open_reference(name)


def _grid(scan: Scan) -> dict[str, Any]:
    return {
        "shape": list(scan.voxels.shape),
        "spacing_mm": list(scan.spacing),
        "orientation": scan.orientation,
    }
