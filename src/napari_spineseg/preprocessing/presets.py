"""Recipes in files: the bundled ones, and a person's own as YAML or JSON."""

from __future__ import annotations

import json
import os
from pathlib import Path

import yaml
from pydantic import ValidationError

from napari_spineseg.errors import OutputError, SettingsError
from napari_spineseg.files import write_whole
from napari_spineseg.preprocessing.pipeline import Pipeline, said

_BUNDLED = Path(__file__).parent / "presets"
_ENDINGS = (".yaml", ".yml", ".json")


def bundled() -> dict[str, Pipeline]:
    """Every preset that comes with the package, by name."""
    return {path.stem: read_preset(path) for path in sorted(_BUNDLED.glob("*.yaml"))}


def find_preset(name: str) -> Pipeline:
    """A bundled preset by its name, or one from a file.

    Raises
    ------
    SettingsError
        If it is neither, or the file is not a preset.
    """
    path = _BUNDLED / f"{name}.yaml"
    if os.sep not in name and path.is_file():
        return read_preset(path)
    if name.endswith(_ENDINGS):
        return read_preset(Path(name))
    raise SettingsError(
        f"There is no preset {name!r}; there are {', '.join(bundled())}, or name a .yaml or .json file."
    )


def read_preset(path: Path) -> Pipeline:
    """Read a preset file; JSON is YAML too.

    Raises
    ------
    SettingsError
        If it cannot be read or says something that no preset says.
    """
    if path.exists() and not path.is_file():
        # A pipe would be waited for, without end.
        raise SettingsError(f"{path} is no file; name a preset's .yaml or .json file.")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError(f"{path} cannot be read as a preset: {_first_line(error)}.") from None
    try:
        return Pipeline.model_validate(content)
    except ValidationError as error:
        raise SettingsError(f"{path} is not a preset: {said(error)}.") from None


def write_preset(pipeline: Pipeline, path: Path) -> None:
    """Write a preset as YAML or, if the name ends in .json, JSON; whole or not at all.

    Raises
    ------
    OutputError
        If the name ends in neither, or the disk refuses.
    """
    if not path.name.lower().endswith(_ENDINGS):
        raise OutputError(f"{path} has to end in .yaml or .json.")
    content = to_content(pipeline)
    as_json = path.suffix.lower() == ".json"
    text = (
        json.dumps(content, indent=1, ensure_ascii=False) + "\n"
        if as_json
        else yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    )
    try:
        write_whole(path, text)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}.") from None


def to_content(pipeline: Pipeline) -> dict[str, object]:
    """A preset as a person would write it: defaults are left out."""
    steps = [
        {"step": step.step, **step.model_dump(mode="json", exclude_defaults=True, exclude={"step"})}
        for step in pipeline.steps
    ]
    head = {key: value for key, value in (("name", pipeline.name), ("about", pipeline.about)) if value}
    return {**head, "steps": steps}


def _first_line(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return str(error).splitlines()[0]
