"""A form says what the settings class says, and nothing of its own."""

from __future__ import annotations

from typing import Literal, get_args

import pytest
from pydantic import BaseModel, Field, model_validator
from qtpy.QtCore import QPoint, Qt

from napari_spineseg.errors import SettingsError
from napari_spineseg.segment import SegmentSettings
from napari_spineseg.widgets.network_choices import DEVICES
from napari_spineseg.widgets.segment import page as segment_page
from napari_spineseg.widgets.settings_form import SettingsForm, settings_from


class Example(BaseModel):
    count: int = Field(3, ge=1, lt=10, title="Count", description="How many")
    width_mm: float = Field(1.5, gt=0, le=4, title="Width (mm)")
    kind: Literal["a", "b"] = Field("b", title="Kind")
    on: bool = Field(True, title="On")
    name: str = Field("me", title="Name")

    @model_validator(mode="after")
    def _no_nine(self):
        if self.count == 9:
            raise ValueError("Nine is taken")
        return self


@pytest.fixture
def form(qtbot):
    form = SettingsForm(Example, Example.model_fields)
    qtbot.addWidget(form)
    return form


def test_defaults_come_from_the_class(form):
    assert settings_from(Example, form) == Example()


def test_ranges_come_from_the_class(form):
    count, width = form.editor("count"), form.editor("width_mm")
    assert (count.minimum(), count.maximum()) == (1, 9)
    assert width.minimum() == pytest.approx(0.01) and width.maximum() == 4


def test_titles_and_help_come_from_the_class(form):
    assert form.editor("on").text() == "On"
    assert form.editor("count").accessibleName() == "Count"
    assert "How many" in form.editor("count").toolTip()


def test_what_is_entered_is_what_comes_out(form, qtbot):
    box = form.editor("on")
    with qtbot.waitExposed(form):
        form.show()
    with qtbot.waitSignal(form.changed):
        qtbot.mouseClick(box, Qt.MouseButton.LeftButton, pos=QPoint(8, box.height() // 2))
    form.set_values({"count": 7, "kind": "a", "name": "you", "elsewhere": 1})
    assert settings_from(Example, form) == Example(count=7, kind="a", on=False, name="you")


def test_contradictions_are_a_sentence(form):
    form.set_values({"count": 9})
    with pytest.raises(SettingsError, match=r"^Nine is taken$"):
        settings_from(Example, form)


@pytest.mark.parametrize(("field", "choices"), [("device", DEVICES), ("scheme", segment_page._SCHEMES)])
def test_words_are_given_for_every_value_of_the_segment_settings(field, choices):
    assert [value for value, _ in choices] == list(get_args(SegmentSettings.model_fields[field].annotation))


def test_no_field_of_the_segment_settings_is_forgotten(page):
    assert (
        page.main_form.values().keys() | page.advanced_form.values().keys()
        == SegmentSettings.model_fields.keys()
    )
    assert page.current_settings() == SegmentSettings()
