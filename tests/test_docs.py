"""What the pages say can be done, can be done: links, pictures, commands, options, files and tables."""

from __future__ import annotations

import ast
import re
import shlex
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
import typer
import yaml
from typer.main import get_command

from napari_spineseg.cli import COMMANDS
from napari_spineseg.measurement import CATALOGUE
from napari_spineseg.preprocessing import STEPS, Pipeline, bundled, name_of

REPOSITORY = Path(__file__).parents[1]
PACKAGE = REPOSITORY / "src" / "napari_spineseg"
DOCS = REPOSITORY / "docs"
FOLDERS = (REPOSITORY, REPOSITORY / "benchmarks", REPOSITORY / "sample_data")
PAGES = sorted([*DOCS.rglob("*.md"), *(page for folder in FOLDERS for page in folder.glob("*.md"))])
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(REPOSITORY).as_posix())

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_FILE = re.compile(r"[\w./-]+\.(?:py|yaml|md|toml|txt|ini|png)")


@dataclass(frozen=True)
class Page:
    """A page of Markdown, its code apart from its prose."""

    prose: str
    blocks: tuple[tuple[str, str], ...]

    @classmethod
    def read(cls, path: Path) -> Page:
        text = path.read_text(encoding="utf-8")
        blocks = [(language, body) for language, body in _FENCE.findall(text)]
        prose = _FENCE.sub("", text)
        blocks += [("", line.strip()) for line in prose.splitlines() if line.startswith("    ")]
        return cls(prose, tuple(blocks))

    @property
    def spans(self) -> list[str]:
        """What stands between single backticks, folded to a line each."""
        return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", self.prose)]

    @property
    def in_blocks(self) -> list[str]:
        """Lines of its blocks of commands; what is indented goes on from the line before."""
        unfolded = (re.sub(r"\n +", " ", body) for language, body in self.blocks if not language)
        return [line for body in unfolded for line in body.splitlines()]

    def calls(self, *program: str) -> list[list[str]]:
        """The words after `program` of each line that calls it."""
        found = []
        for line in (*self.in_blocks, *self.spans):
            words = re.sub(r"\s#.*", "", line).split()
            if tuple(words[: len(program)]) == program:
                found.append(words[len(program) :])
        return found


def anchors(path: Path) -> set[str]:
    """What `#...` may name on a page, as GitHub makes it of headings."""
    headings = re.findall(r"^#+ (.+)$", Page.read(path).prose, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(
    "index", [DOCS / "index.md", REPOSITORY / "benchmarks" / "README.md"], ids=["docs", "benchmarks"]
)
def test_every_page_is_in_the_index_of_its_folder(index):
    pages = {path.relative_to(index.parent).as_posix() for path in index.parent.rglob("*.md")} - {index.name}
    assert {page for page in pages if f"({page})" not in index.read_text(encoding="utf-8")} == set()


@every_page
def test_links_and_pictures_lead_somewhere(page):
    broken = []
    for link in _LINK.findall(Page.read(page).prose):
        target, _, anchor = link.partition("#")
        path = page.parent / target if target else page
        if "://" not in link and not (path.exists() and (not anchor or anchor in anchors(path))):
            broken.append(link)
    assert broken == []


def test_every_picture_is_shown_and_can_be_drawn_anew():
    shown = {(page.parent / link).resolve() for page in PAGES for link in _LINK.findall(page.read_text())}
    script = (REPOSITORY / "scripts" / "make_docs_pictures.py").read_text(encoding="utf-8")
    pictures = sorted((DOCS / "images").iterdir())
    assert [p.name for p in pictures if p not in shown] == []
    assert [p.name for p in pictures if p.stem not in script] == []


def command_of(words: list[str]) -> tuple[Any, list[str]]:
    """The command that words call, and the words that are left for it."""
    command = get_command(import_module(f"napari_spineseg.cli.{words[0]}").app)
    rest = words[1:]
    while rest and rest[0] in getattr(command, "commands", ()):
        command, rest = command.commands[rest[0]], rest[1:]
    return command, rest


def options_of(command: Any) -> list[Any]:
    """Its options; of a group, those of all its commands."""
    if hasattr(command, "commands"):
        return [option for each in command.commands.values() for option in options_of(each)]
    return [p for p in command.params if p.param_type_name == "option"]


def choices_of(option: Any) -> set[str]:
    """The words that an option takes; empty where it takes any."""
    if hasattr(option, "type"):  # as click has it, which older typers are made of
        return {str(getattr(choice, "value", choice)) for choice in getattr(option.type, "choices", ())}
    kind = getattr(getattr(option, "type_descriptor", None), "annotation", None)
    kinds = [kind, *get_args(kind)]
    return {word for kind in kinds if get_origin(kind) is Literal for word in get_args(kind)}


def unknown_words(words: list[str]) -> list[str]:
    """Options of a call or a synopsis, and choices of theirs, that the command does not know."""
    if words[0] in ("COMMAND", "--help", "--version"):
        return []
    if words[0] not in COMMANDS:
        return [words[0]]
    command, rest = command_of(words)
    known = {name: p for p in options_of(command) for name in (*p.opts, *p.secondary_opts)}
    # `[--scheme levels|structures]` -> `--scheme levels|structures`
    plain = re.sub(r"[\[\]]|\.\.\.", " ", " ".join(rest)).replace(" | ", " ").split()
    wrong = [w for w in plain if re.match("--?[a-z]", w) and w not in known and w != "--help"]
    for option, value in pairwise(plain):
        choices = choices_of(known.get(option))
        if choices and not value.isupper() and not set(value.split("|")) <= choices:
            wrong.append(f"{option} {value}")
    return wrong


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("segmentt SCAN", ["segmentt"]),
        ("segment SCAN --colour red", ["--colour"]),
        ("segment SCAN [--scheme levels|colours]", ["--scheme levels|colours"]),
        ("corrections list --layout bids", ["--layout"]),
        ("corrections export -o DIR --layout bids", []),
        ("learn --runs | --follow RUN", []),
    ],
)
def test_what_a_page_says_wrong_is_noticed(line, wrong):
    assert unknown_words(line.split()) == wrong


@every_page
def test_commands_and_their_options_exist(page):
    calls = [words for words in Page.read(page).calls("spineseg") if words]
    assert [(w, wrong) for w in calls if (wrong := unknown_words(w))] == []


@every_page
def test_examples_of_commands_parse(page):
    """What can be copied into a terminal is a call that the command takes."""
    for line in Page.read(page).in_blocks:
        if line.startswith("spineseg ") and not re.search(r"[\[|<]|\.\.\.", line):
            command, rest = command_of(shlex.split(line, comments=True)[1:])
            with suppress(typer.Exit):  # of --help and --list
                command.make_context("spineseg", rest)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_in_the_reference(name):
    """Each command's section in `docs/command-line.md` names all its options, in one of their forms."""
    text = (DOCS / "command-line.md").read_text(encoding="utf-8")
    sections = re.split(r"^## ", text, flags=re.MULTILINE)
    words = set(re.findall(r"--?[a-z][a-z-]*", "".join(s for s in sections if s.startswith(f"{name}\n"))))
    options = options_of(command_of([name])[0])
    assert [option.opts for option in options if not words & {*option.opts, *option.secondary_opts}] == []


@every_page
def test_make_targets_exist(page):
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([\w-]+):", makefile, re.MULTILINE))
    called = {words[0] for words in Page.read(page).calls("make") if words}
    assert called - targets == set()


def test_every_target_is_told_to_contributors():
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    page = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([\w-]+):.*##", makefile, re.MULTILINE)) - {"help"}
    assert {target for target in targets if f"`make {target}" not in page} == set()


@every_page
def test_benchmarks_that_are_named_exist(page):
    """`python -m benchmarks NAME` and `python -m benchmarks.NAME`, with options that the module knows."""
    for line in (*Page.read(page).in_blocks, *Page.read(page).spans):
        assert "python benchmarks/" not in line, f"{line}: all of them are run as modules"
        match = re.search(r"python -m benchmarks(?:\.(\w+))?(.*)", line)
        if match is None or match[1] == "NAME":
            continue
        words = re.sub(r"\s#.*", "", match[2]).split()
        source = source_of_benchmark(match[1] or "__main__")
        if "corrected_cases import" in source:
            source += source_of_benchmark("corrected_cases")
        named = [word for word in words if word.startswith("-") or (match[1] is None and word.islower())]
        assert [word for word in named if f'"{word}"' not in source] == [], line


def source_of_benchmark(name: str) -> str:
    path = REPOSITORY / "benchmarks" / f"{name}.py"
    assert path.is_file(), f"there is no {path.relative_to(REPOSITORY)}"
    return path.read_text(encoding="utf-8")


@every_page
def test_files_that_are_named_exist(page):
    """Of the repository, the package, or the page's own folder; a bare name anywhere in them."""
    missing = []
    for span in Page.read(page).spans:
        # What a run writes, what lies beside the clone, and examples of data's names are not here.
        if not _FILE.fullmatch(span) or span.startswith(("runs/", "../", "run/", "images/", "results/")):
            continue
        places = [root / span for root in (REPOSITORY, PACKAGE, page.parent)]
        found = any(p.exists() for p in places) or ("/" not in span and any(PACKAGE.rglob(span)))
        if not found:
            missing.append(span)
    assert missing == []


def test_python_on_the_pages_finds_what_it_imports():
    for page in PAGES:
        for language, body in Page.read(page).blocks:
            if language != "python":
                continue
            for node in ast.walk(ast.parse(body)):
                if isinstance(node, ast.ImportFrom):
                    module = import_module(node.module)
                    assert all(hasattr(module, alias.name) for alias in node.names), page.name


def first_column(page: Path, heading: str) -> list[str]:
    """The first cells of the table below a heading, without backticks."""
    section = page.read_text(encoding="utf-8").split(f"## {heading}\n")[1].split("\n#")[0]
    rows = [line.split("|")[1].strip(" `") for line in section.splitlines() if line.startswith("|")]
    return rows[2:]


def test_steps_and_presets_are_told():
    page = DOCS / "preprocess.md"
    assert sorted(first_column(page, "Steps")) == sorted(name_of(step) for step in STEPS)
    assert sorted(first_column(page, "Recipes")) == sorted(bundled())


@pytest.mark.parametrize(
    ("heading", "of"), [("Vertebrae", "vertebra"), ("Discs", "disc"), ("The whole spine", "spine")]
)
def test_measures_are_told_as_the_catalogue_has_them(heading, of):
    section = (DOCS / "measure.md").read_text(encoding="utf-8").split(f"### {heading}\n")[1].split("\n#")[0]
    told = [line for line in section.splitlines() if line.startswith("|")][2:]
    assert told == [
        f"| {m.title} | {m.unit or 'ratio'} | {m.definition} | {m.source} | `{m.key}` |"
        for m in CATALOGUE.values()
        if m.of == of
    ]


def test_recipes_on_the_pages_are_recipes():
    bodies = [body for page in PAGES for language, body in Page.read(page).blocks if language == "yaml"]
    assert bodies
    for body in bodies:
        Pipeline.model_validate(yaml.safe_load(body))


def test_tools_of_the_correct_page_have_the_keys_that_it_names():
    from napari_spineseg.widgets.correct.keys import CORRECT_KEYS

    section = (DOCS / "correct.md").read_text(encoding="utf-8").split("## Repair\n")[1].split("\n#")[0]
    rows = [line.split("|")[2].split() for line in section.splitlines() if line.startswith("|")][2:]
    told = {key.strip(",").replace("+", "-") or "," for row in rows for key in row}
    tools = {key.key for key in CORRECT_KEYS if key.group in ("Shape", "Column")} - {"R"} | {"C"}
    assert told == tools
