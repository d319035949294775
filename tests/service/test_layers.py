"""What may import what, as docs/architecture.md says."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.conftest import ROOT

FILES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for folder in ("service", "training")
    for path in sorted((ROOT / folder).rglob("*.py"))
}


def imported(path: Path) -> Iterator[str]:
    """The modules that a file names, in functions and for types too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{name.name}" for name in node.names)


def within(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


EDGES = [(module, name) for module, path in FILES.items() for name in imported(path)]


@pytest.mark.parametrize(
    ("library", "places"),
    [
        (("fastapi", "starlette"), ("service.api",)),
        (("service.api",), ("service.api", "service.server")),
        (("sqlalchemy", "alembic"), ("service.store",)),
        (("service.store",), ("service.store", "service.bulk", "service.evidence", "service.exports",
                              "service.statistics", "service.api", "service.commands")),
        (("training",), ("training",)),
        (("bpy", "mathutils"), ("training.scenes.blender",)),
        (("torch", "torchvision", "timm", "matplotlib"), ("training",)),
    ],
)  # fmt: skip
def test_some_things_are_imported_in_some_places_only(library: tuple[str, ...], places: tuple[str, ...]) -> None:
    assert [(module, name) for module, name in EDGES if within(name, *library) and not within(module, *places)] == []


def test_scenes_use_nothing_that_needs_torch() -> None:
    heavy = ("training.fitting", "training.exporting", "training.evaluating", "training.synthesis",
             "training.photos.dataset")  # fmt: skip
    assert [edge for edge in EDGES if within(edge[0], "training.scenes") and within(edge[1], *heavy)] == []


def test_no_modules_import_each_other() -> None:
    graph = {module: set[str]() for module in FILES}
    for module, name in EDGES:
        target = name if name in FILES else name.rpartition(".")[0]
        if target in FILES and target != module:
            graph[module].add(target)
    TopologicalSorter(graph).prepare()
