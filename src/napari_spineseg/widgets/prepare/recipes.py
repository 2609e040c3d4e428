"""Choosing a recipe, opening one from a file, saving one's own."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QLineEdit, QPushButton, QVBoxLayout, QWidget

from napari_spineseg.errors import SpineSegError
from napari_spineseg.models.registry import home
from napari_spineseg.preprocessing import Pipeline, Step, bundled, read_preset, write_preset
from napari_spineseg.widgets.parts import Choice, Words, tooltip
from napari_spineseg.widgets.style import give_role

_PATTERN = "Recipes (*.yaml *.yml *.json)"


def own_recipes() -> Path:
    """The folder whose recipes are always in the list."""
    return home() / "recipes"


class RecipeBar(QWidget):
    """A choice of recipes with *Open…* and *Save…*; saving unfolds a row, no dialog."""

    chosen = Signal(object)
    """A `Pipeline` to work with."""
    saved = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._steps: tuple[Step, ...] = ()
        self._off = 0
        self._recipes: dict[str, Pipeline] = {}
        self._opened: list[Path] = []
        self._own = Pipeline()
        self.choice = Choice()
        self.choice.setObjectName("recipe")
        self.choice.setAccessibleName("Recipe")
        self.open_button = QPushButton("Open…")
        self.open_button.setObjectName("open_recipe")
        self.save_button = QPushButton("Save…")
        self.save_button.setObjectName("save_recipe")
        self.notice = Words("", "muted")
        self.panel = self._lay_out()
        self._settle = QTimer(self, singleShot=True, interval=120)
        self._settle.timeout.connect(self._look)
        self.choice.activated.connect(self._on_chosen)
        self.open_button.clicked.connect(self._browse_to_open)
        self.save_button.clicked.connect(self.unfold)
        self.cancel.clicked.connect(self.fold)
        self.browse.clicked.connect(self._browse_to_save)
        self.path.textChanged.connect(lambda: self._settle.start())
        self.path.returnPressed.connect(self.write.click)
        self.write.clicked.connect(self._save)
        self.fold()
        self.refresh()

    def show_steps(self, steps: Iterable[Step], switched_off: int) -> None:
        """Say which recipe these steps are, or that they are the person's own."""
        self._steps, self._off = tuple(steps), switched_off
        self.save_button.setEnabled(bool(self._steps))
        name = self.choice.currentData()
        if name and self._recipes[name].steps == self._steps:
            return
        found = next((n for n, recipe in self._recipes.items() if recipe.steps == self._steps), "")
        if not found:
            self._own = Pipeline(steps=self._steps)
        self._select(found)

    def refresh(self) -> None:
        """List bundled recipes, those in the person's folder, and those opened in this window."""
        kept = self.choice.currentData()
        self._recipes = dict(bundled())
        files = sorted(own_recipes().glob("*.yaml")) if own_recipes().is_dir() else []
        for path in dict.fromkeys([*files, *self._opened]):
            try:
                self._recipes[str(path)] = read_preset(path)
            except SpineSegError:  # a file of the folder that is no recipe is not this list's business
                continue
        self.choice.blockSignals(True)
        self.choice.clear()
        self.choice.addItem("My own steps", "")
        for name, recipe in self._recipes.items():
            self.choice.addItem(recipe.name or Path(name).stem, name)
            self.choice.setItemData(
                self.choice.count() - 1, tooltip(recipe.about or name), Qt.ItemDataRole.ToolTipRole
            )
        self.choice.blockSignals(False)
        self._select(kept if kept in self._recipes else "")

    def open(self, path: Path) -> None:
        """Work with the recipe in a file. One that cannot be read is named beside the choice."""
        try:
            recipe = read_preset(path)
        except SpineSegError as error:
            self._say(str(error), "error")
            return
        self._opened.append(path)
        self._say("", "muted")
        self.refresh()
        self._select(str(path))
        self.chosen.emit(recipe)

    def unfold(self) -> None:
        """Show the row for saving, with a name in the person's own folder."""
        self.path.setText(str(own_recipes() / "my-recipe.yaml"))
        self.panel.show()
        self._look()
        self.path.setFocus(Qt.FocusReason.OtherFocusReason)

    def fold(self) -> None:
        """Hide it."""
        self.panel.hide()
        self._say("", "muted")

    def _lay_out(self) -> QWidget:
        panel = QWidget()
        self.path = QLineEdit()
        self.path.setObjectName("recipe_path")
        self.path.setAccessibleName("File to save the recipe to")
        self.browse = QPushButton("Browse…")
        self.write = QPushButton("Save")
        self.write.setObjectName("write_recipe")
        self.cancel = QPushButton("Cancel")
        inner = QVBoxLayout(panel)
        inner.setContentsMargins(0, 0, 0, 0)
        for row in ((self.path, self.browse), (self.write, self.cancel)):
            line = QHBoxLayout()
            line.addWidget(row[0], stretch=1)
            line.addWidget(row[1])
            inner.addLayout(line)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(5)
        row = QHBoxLayout()
        row.addWidget(self.choice, stretch=1)
        row.addWidget(self.open_button)
        row.addWidget(self.save_button)
        layout.addLayout(row)
        layout.addWidget(panel)
        layout.addWidget(self.notice)
        return panel

    def _select(self, name: str) -> None:
        self.choice.setCurrentIndex(max(0, self.choice.findData(name)))

    def _on_chosen(self, index: int) -> None:
        name = self.choice.itemData(index)
        self.chosen.emit(self._recipes[name] if name else self._own)

    def _browse_to_open(self) -> None:
        dialog = QFileDialog(self, "Open a recipe", str(own_recipes()), _PATTERN)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(lambda name: self.open(Path(name)))
        dialog.open()

    def _browse_to_save(self) -> None:
        dialog = QFileDialog(self, "Save the recipe", self.path.text(), _PATTERN)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        # What would be replaced is said in the panel, where it stays readable.
        dialog.setOption(QFileDialog.Option.DontConfirmOverwrite)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(self.path.setText)
        dialog.open()

    def _look(self) -> Path | None:
        """Say what saving would do; None if it may not be done."""
        path = Path(self.path.text().strip()).expanduser()
        self.write.setEnabled(True)
        self.write.setText("Replace" if path.is_file() else "Save")
        if path.suffix.lower() not in (".yaml", ".yml", ".json"):
            self._say("The name has to end in .yaml or .json.", "error")
        elif path.parent != own_recipes() and not path.parent.is_dir():
            self._say(f"There is no folder {path.parent}.", "error")
        else:
            off = (
                f" {self._off} switched off {'is' if self._off == 1 else 'are'} left out."
                if self._off
                else ""
            )
            there = f"{path.name} is there already and would be replaced." if path.is_file() else ""
            count = f"{len(self._steps)} step{'s' if len(self._steps) != 1 else ''}."
            self._say(f"{there or count}{off}", "warning" if there else "muted")
            return path
        self.write.setEnabled(False)
        return None

    def _save(self) -> None:
        announced = self.write.text()
        path = self._look()
        if path is None or self.write.text() != announced:
            return  # a file came to be since the person looked; `_look` has just said so
        try:
            if path.parent == own_recipes():
                path.parent.mkdir(parents=True, exist_ok=True)
            recipe = Pipeline(name=path.stem, steps=self._steps)
            write_preset(recipe, path)
        except (SpineSegError, OSError) as error:
            self._say(str(error), "error")
            return
        self.fold()
        self._opened.append(path)
        self.refresh()
        self._select(str(path))
        self._say(f"Saved {path.name}.", "muted")
        self.saved.emit(path)

    def _say(self, text: str, role: str) -> None:
        give_role(self.notice, role)
        self.notice.say(text)
