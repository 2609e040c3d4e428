"""Models to choose from on the Segment page, the published one among them."""

from __future__ import annotations

from gui_kit import add_scan, segment
from qtpy.QtCore import Qt


def test_the_published_model_is_picked_like_any_other(model, lone_page, qtbot, fake):
    add_scan(model)
    box = lone_page.main_form.editor("model")
    titles = [box.itemText(i) for i in range(box.count())]
    place = next(i for i, title in enumerate(titles) if "Ahmed et al. 2024" in title)
    box.setFocus()
    for _ in range(place - box.currentIndex()):
        qtbot.keyClick(box, Qt.Key.Key_Down)
    segment(lone_page, qtbot)
    assert fake.settings[-1].model == "ahmed2024"
    lone_page.session.segmentation.name = "published"
    for _ in range(place):
        qtbot.keyClick(box, Qt.Key.Key_Up)
    segment(lone_page, qtbot)
    assert [s.model for s in fake.settings] == ["ahmed2024", "lumbar"]
    assert {"published", "column_seg"} <= {layer.name for layer in model.layers}
