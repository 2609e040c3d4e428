"""Steps as words: of a command, `resample:which=isotropic,spacing_mm=1`, and of a page."""

from __future__ import annotations

from napari_spineseg.errors import SettingsError
from napari_spineseg.preprocessing.pipeline import make_step
from napari_spineseg.preprocessing.step import Step


def parse_step(words: str) -> Step:
    """A step from its words. Settings that are left out have their defaults.

    Values reach to the next `,name=`, so that a path may hold commas and colons.

    Raises
    ------
    SettingsError
        If there is no such step or setting, or a value is out of range.

    Examples
    --------
    >>> parse_step("clip:upper_percent=99").upper_percent
    99.0
    """
    name, _, rest = words.partition(":")
    settings: dict[str, str] = {}
    last = ""
    for part in rest.split(",") if rest else []:
        key, equals, value = part.partition("=")
        if equals and key.strip().isidentifier():
            last = key.strip()
            settings[last] = value
        elif last:
            settings[last] += f",{part}"
        else:
            raise SettingsError(f"--step {words}: write settings as name=value, separated by commas.")
    return make_step(name.strip(), settings)


def step_words(step: Step) -> str:
    """The words that `parse_step` makes `step` of."""
    changed = step.model_dump(mode="json", exclude_defaults=True, exclude={"step"})
    settings = ",".join(f"{key}={_value(value)}" for key, value in changed.items())
    return f"{step.step}:{settings}" if settings else step.step


def step_spoken(step: Step) -> str:
    """A step as the Prepare page names it, with the settings that are not the usual ones.

    >>> step_spoken(parse_step("crop:head_mm=4")), step_spoken(parse_step("zscore"))
    ('Crop: Head 4 mm', 'Z-score')
    """
    fields = type(step).model_fields
    changed = step.model_dump(mode="json", exclude_defaults=True, exclude={"step"})
    settings = ", ".join(_spoken(fields[name].title or name, value) for name, value in changed.items())
    return f"{type(step).title}: {settings}" if settings else type(step).title


def _spoken(title: str, value: object) -> str:
    """A setting's title and value, with the unit behind the number."""
    if isinstance(value, bool):
        return f"{title} {'on' if value else 'off'}"
    name, _, unit = title.removesuffix(")").partition(" (")
    number = f"{value:g}" if isinstance(value, float) else str(value)
    return f"{name} {number} {unit}".rstrip()


def _value(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
