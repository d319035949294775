"""The rendered scenes' tables and meshes, without Blender."""

import subprocess
import sys
from pathlib import Path
from random import Random

import numpy as np
import pytest

import training.scenes.__main__ as command
from training.manifest import read_manifest
from training.scenes import tubes
from training.scenes.kinds import KINDS, Kind
from training.scenes.sheet import SAMPLES

ROOT = Path(__file__).parents[2]
PRODUCTS = [kind for kind in KINDS.values() if kind.group == "product"]
_IMPORT = """
import pkgutil, importlib, sys
sys.modules["bpy"] = sys.modules["mathutils"] = None
import training.scenes
names = [module.name for module in pkgutil.iter_modules(training.scenes.__path__)]
for name in names:
    importlib.import_module("training.scenes." + name)
print(len(names))
"""


def test_every_module_imports_without_blender() -> None:
    done = subprocess.run([sys.executable, "-c", _IMPORT], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 10


@pytest.mark.parametrize("kind", PRODUCTS, ids=lambda kind: kind.name)
def test_every_product_has_a_harmless_twin(kind: Kind) -> None:
    twin = KINDS[f"{kind.name}_twin"]
    assert (twin.group, twin.label) == ("lookalike", "none")
    assert (twin.family, twin.span) == (kind.family, kind.span)
    assert kind.label != "none"


def test_the_table_holds_pairs_only() -> None:
    assert len(PRODUCTS) == 4
    assert len(KINDS) == 2 * len(PRODUCTS)
    assert all(kind.variants for kind in KINDS.values())
    assert len({kind.family for kind in PRODUCTS}) == len(PRODUCTS)


def test_samples_name_known_kinds_and_variants() -> None:
    assert len({sample.file for sample in SAMPLES}) == len(SAMPLES)
    assert [s.file for s in SAMPLES if s.variant not in KINDS[s.kind].variants] == []


def test_without_blender_the_command_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "bpy", None)
    assert command.main([str(tmp_path / "out")]) == 2
    assert "faunalens[scenes]" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_manifest_of_scenes_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "masks").mkdir()
    for kind in KINDS:
        (tmp_path / f"{kind}-7.jpg").touch()
        (tmp_path / "masks" / f"{kind}-7.png").touch()
    (tmp_path / "raw_tusk-8.jpg").touch()
    command._write_manifest(tmp_path)
    photos = read_manifest(tmp_path)
    assert sorted(photo.kind for photo in photos) == sorted(KINDS)
    assert len({photo.instance for photo in photos}) == len(PRODUCTS)


@pytest.mark.parametrize("hollow", [True, False])
def test_a_tusk_is_a_finite_mesh_that_its_seed_repeats(hollow: bool) -> None:
    first, second, other = (tubes.tusk(Random(seed), 4.0, 0.4, 0.8, hollow) for seed in (1, 1, 2))
    assert np.isfinite(first.verts).all()
    assert max(max(face) for face in first.faces) < len(first.verts)
    assert np.array_equal(first.verts, second.verts)
    assert not np.array_equal(first.verts, other.verts)
