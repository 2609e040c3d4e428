"""`spineseg models`: what models there are, what a card says, which one is used."""

import json as json_module
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from napari_spineseg.cli.console import Console
from napari_spineseg.cli.console import show as show_path
from napari_spineseg.cli.options import JsonLines, Overwrite, Series, Volume, command_app
from napari_spineseg.cli.outputs import folder_for
from napari_spineseg.errors import ModelError, OutputError
from napari_spineseg.models import ModelEntry, get_model, list_models
from napari_spineseg.models.archive import export_model, import_model
from napari_spineseg.models.versions import remove_version, rollback, use_model

app = command_app(help="List models, look at one, choose, move and remove them.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="A name, or NAME@VERSION.")]


@app.command("list", short_help="List every version of every model.")
def list_(json: JsonLines = False) -> None:
    """List every version of every model; a star marks the one that is used when none is named."""
    console = Console(json)
    entries = list_models()
    default = _key_in_use()
    width = max((len(entry.key) for entry in entries), default=0)
    for entry in entries:
        star = "*" if entry.key == default else " "
        console.line(f"{star} {entry.key:{width}}  {entry.title}")
        console.record(_brief(entry) | {"in_use": entry.key == default})


@app.command("show", short_help="Show the card of a model.")
def show(
    name: Name,
    json: JsonLines = False,
) -> None:
    """Show the card of a model: what it was trained on, its figures, and what it must not be used for."""
    console = Console(json)
    entry = get_model(name)
    console.record(_brief(entry) | {"card": entry.card})
    console.line(f"{entry.key}: {entry.title}")
    console.line(f"weights: {entry.weights}")
    for key, value in entry.card.items():
        if key not in ("name", "version", "title") and value not in (None, "", [], {}):
            _show_item(console, key, value)


@app.command("use")
def use(name: Name, json: JsonLines = False) -> None:
    """Use this model wherever none is named. One that did not pass the gate too: says what that costs."""
    console = Console(json)
    entry = use_model(name)
    _tell(console, entry, "is used now")
    if entry.card.get("promoted") is False:
        console.warn(_cost(entry))


@app.command("compare")
def compare(
    first: Name,
    second: Name,
    scan: Annotated[Path, typer.Argument(metavar="SCAN", help="A scan, as for `segment`.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="Where the results and the difference go."),
    ] = None,
    device: Annotated[
        Literal["auto", "cpu", "cuda", "mps"], typer.Option("--device", help="Where the networks run.")
    ] = "auto",
    volume: Volume = None,
    series: Series = None,
    overwrite: Overwrite = False,
    json: JsonLines = False,
) -> None:
    """Segment one scan with two models and say where they differ."""
    from napari_spineseg import io
    from napari_spineseg.cli.run import terminated_like_interrupted
    from napari_spineseg.learning.verdict.compare import compare_models

    console = Console(json)
    files = {} if output is None else _files_of_comparison(scan, output, overwrite)
    place = nullcontext() if output is None else folder_for(output)
    with place, terminated_like_interrupted(), console.hushed(), console.bar(scan.name) as control:
        image = io.read_scan(scan, volume=volume, series=series)
        found = compare_models(image, first, second, device, control)
        parts = (*found.results, found.difference)
        for path, part in zip(files.values(), parts, strict=bool(files)):
            io.write_segmentation(part, path)
    for warning in dict.fromkeys(w for result in found.results for w in result.warnings):
        console.warn(f"{show_path(scan)}: {warning}")
    console.say(found.sentence)
    keys = [entry.key for entry in found.models]
    console.record({"models": keys, "dice": found.dice, "ml": found.ml, "files": files})


@app.command("rollback")
def rollback_(json: JsonLines = False) -> None:
    """Go back to the model that was used before."""
    _tell(Console(json), rollback(), "is used again")


@app.command("remove")
def remove(name: Name, json: JsonLines = False) -> None:
    """Delete one version of a model of your own."""
    entry = get_model(name)
    versions = [other.key for other in list_models() if other.name == entry.name and not other.bundled]
    if "@" not in name and len(versions) > 1:
        raise ModelError(f"There are {' and '.join(versions)}; name the one to remove.")
    remove_version(entry.key)
    _tell(Console(json), entry, "was removed")


@app.command("export")
def export(
    name: Name,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The zip to write.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace FILE if it is there.")] = False,
    json: JsonLines = False,
) -> None:
    """Write a model as one file: a zip of its weights and its card."""
    _tell(Console(json), get_model(name), f"was written to {export_model(name, file, overwrite)}")


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A zip that `models export` wrote.")],
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="Another name for it here.")
    ] = None,
    json: JsonLines = False,
) -> None:
    """Add a model from a file. Nothing in the file is executed."""
    _tell(Console(json), import_model(file, name), "was added")


def _files_of_comparison(scan: Path, folder: Path, overwrite: bool) -> dict[str, Path]:
    """What goes into `folder`. Files of an earlier comparison, of other models perhaps, stay."""
    from napari_spineseg import io

    names = ("first", "second", "difference")
    files = {name: folder / f"{io.stem_of(scan)}_{name}.nii.gz" for name in names}
    there = next((path for path in files.values() if path.exists()), None)
    if there is not None and not overwrite:
        raise OutputError(f"{there} is there already; choose another folder, or pass --overwrite.")
    return files


def _cost(entry: ModelEntry) -> str:
    """What using a model costs that did not pass the gate."""
    from napari_spineseg.learning.run.events import Change
    from napari_spineseg.learning.verdict.gate import cost_of_overruling

    figures = entry.card.get("figures", {})
    held_back, guard = (
        {title: Change.model_validate(change) for title, change in figures.get(part, {}).items()}
        for part in ("held_back", "guard")
    )
    return f"{entry.key} did not pass the gate. {cost_of_overruling(held_back, guard)}"


def _tell(console: Console, entry: ModelEntry, what: str) -> None:
    console.say(f"{entry.key} {what}.")
    console.record(_brief(entry))


def _show_item(console: Console, key: str, value: Any) -> None:
    if isinstance(value, dict | list):
        console.line(f"{key}:")
        for line in json_module.dumps(value, indent=2, ensure_ascii=False).splitlines()[1:-1]:
            console.line(line)
    else:
        console.line(f"{key}: {value}")


def _key_in_use() -> str | None:
    """The model that is used when none is named; None if it is gone, which must not hide the others."""
    try:
        return get_model().key
    except ModelError:
        return None


def _brief(entry: ModelEntry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "version": entry.version,
        "title": entry.title,
        "bundled": entry.bundled,
        "structures": entry.structures,
        "sha256": entry.sha256,
        "weights": entry.weights,
    }
