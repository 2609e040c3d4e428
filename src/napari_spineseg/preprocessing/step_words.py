"""Steps as words of a command: `resample:which=isotropic,spacing_mm=1`."""

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


def _value(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
