"""The rendered scenes' tables and meshes, without Blender."""

import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

import training.scenes.__main__ as command
from training.scenes import carvings, cords, fancy, flakes, hides, ink, jewels, lathes, render, teeth, tubes
from training.scenes.kind import Kind
from training.scenes.kinds import KINDS
from training.scenes.shapes import Array
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
    assert len(PRODUCTS) == 16
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
    assert "pip install '.[scenes]'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_a_file_that_blender_could_not_write_whole_is_no_picture(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full disk it says so on standard error, raises nothing and leaves what fitted, at times nothing."""
    whole, dated = io.BytesIO(), PngInfo()
    dated.add_text("Date", "2026/11/30 13:26:40")
    Image.new("RGB", (9, 9)).save(whole, "JPEG" if name == "a.jpg" else "PNG", comment=b"00:01.08", pnginfo=dated)
    scene = SimpleNamespace(render=SimpleNamespace(filepath=""))
    for length in (0, 20, len(whole.getvalue()) - 1, None):

        def write(write_still: bool, length: int | None = length) -> None:
            Path(scene.render.filepath).write_bytes(whole.getvalue()[:length])

        bpy = SimpleNamespace(ops=SimpleNamespace(render=SimpleNamespace(render=write)))
        monkeypatch.setattr(render, "module", lambda bpy=bpy: bpy)
        if length is None:
            render._write(scene, tmp_path / name)
        else:
            with pytest.raises(OSError, match=f"{name} cannot be written whole"):
                render._write(scene, tmp_path / name)
            assert not list(tmp_path.iterdir())
    with Image.open(tmp_path / name) as picture:
        assert picture.size == (9, 9)
        assert not {"comment", "Date"} & picture.info.keys(), "equal pictures have equal bytes"


@pytest.mark.parametrize("hollow", [True, False])
def test_a_tusk_is_a_finite_mesh_that_its_seed_repeats(hollow: bool) -> None:
    first, second, other = (tubes.tusk(Random(seed), 4.0, 0.4, 0.8, hollow) for seed in (1, 1, 2))
    assert np.isfinite(first.verts).all()
    assert max(max(face) for face in first.faces) < len(first.verts)
    assert np.array_equal(first.verts, second.verts)
    assert not np.array_equal(first.verts, other.verts)


SHAPES = {
    "whale_tooth": lambda rng: teeth.whale_tooth(rng, 1.6),
    "walrus_tusk": lambda rng: teeth.walrus_tusk(rng, 4.0),
    "hippo_tusk": lambda rng: teeth.hippo_tusk(rng, 3.0),
    "hippo_incisor": lambda rng: teeth.hippo_incisor(rng, 2.0),
    "canine": lambda rng: teeth.canine(rng, 0.9),
    "claw": lambda rng: teeth.claw(rng, 0.5),
    "radish": lambda rng: teeth.radish(rng, 3.0, 0.3),
    "pipe": lambda rng: teeth.pipe(rng, 3.0, 0.2),
    "horn_piece": lambda rng: teeth.horn_piece(rng, 0.8, 0.4, 0.2),
    "disc": lambda rng: lathes.disc(1.0, 0.2, 0.02),
    "bowl": lambda rng: lathes.bowl(rng, 1.2, 0.6),
    "bag": lambda rng: lathes.bag(rng, 1.2, 1.0),
    "pebble": lambda rng: lathes.pebble(rng, 0.8, 3),
    "crisp": lambda rng: flakes.crisp(rng, 0.6),
    "cone_scale": lambda rng: flakes.cone_scale(rng, 0.5),
    "mushroom": lambda rng: flakes.mushroom(rng, 0.6),
    "shell": lambda rng: flakes.shell(rng, 0.5),
    "bead": lambda rng: carvings.bead(rng, 0.1),
    "seal": lambda rng: carvings.seal(rng, 0.6, 0.1),
    "figure": lambda rng: carvings.figure(rng, 1.2),
    "netsuke": lambda rng: carvings.netsuke(rng, 0.4),
    "vase": lambda rng: carvings.vase(rng, 1.0),
    "comb": fancy.comb,
    "glasses": fancy.glasses,
    "casket": fancy.casket,
    "bangle": fancy.bangle,
    "pelt": lambda rng: hides.pelt(rng, 20.0),
    "rug": lambda rng: hides.sheet(rng, 8.0, 12.0, 0.5),
    "cushion": lambda rng: hides.cushion(rng, 4.5),
    "slab": lambda rng: hides.slab(rng, 3.5, 2.5, 0.5),
    "cord": lambda rng: cords.tube(cords.loop(rng, 1.0, 1.4, 0.02), 0.02, True),
}


@pytest.mark.parametrize("name", SHAPES)
def test_a_shape_is_a_finite_mesh_that_its_seed_repeats(name: str) -> None:
    for seed in range(4):
        shape, again = SHAPES[name](Random(seed)), SHAPES[name](Random(seed))
        count = len(shape.verts)
        assert np.isfinite(shape.verts).all()
        assert np.isfinite(shape.grain).all()
        assert shape.grain.shape == (count, 3)
        assert shape.along.shape == (count,)
        assert {index for face in shape.faces for index in face} <= set(range(count))
        assert len(shape.slots) in (0, len(shape.faces))
        assert count < 25000
        assert 0.1 < np.ptp(shape.verts, axis=0).max() < 21.0
        assert np.array_equal(shape.verts, again.verts)


@pytest.mark.parametrize("drawing", [ink.number, ink.scrimshaw])
def test_ink_covers_a_small_part_and_differs_by_seed(drawing: Callable[[Random], Array]) -> None:
    first, second = drawing(Random(1)), drawing(Random(2))
    assert first.shape == (128, 512)
    assert 0.01 < first.mean() < 0.4
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("name", carvings.PIECES)
def test_a_chess_piece_stands_on_the_floor(name: str) -> None:
    piece = carvings.chess_piece(Random(1), name, 1.0)
    assert np.isfinite(piece.verts).all()
    assert piece.verts[:, 2].min() == 0.0
    assert 0.85 < piece.verts[:, 2].max() < 2.0


def test_beads_on_a_string_are_evenly_spaced() -> None:
    spots = cords.even(cords.loop(Random(3), 2.0, 1.6, 0.1), 0.2)
    gaps = np.linalg.norm(np.roll(spots, -1, 0) - spots, axis=1)
    assert gaps.min() > 0.19
    assert gaps.max() < 0.21


def test_a_cap_covers_the_root_of_a_tooth_and_is_wider() -> None:
    tooth = teeth.canine(Random(2), 1.0)
    cap = jewels.cap(tooth, 0.2)
    root = tooth.verts[(tooth.along <= 0.2)]
    assert (np.ptp(cap.verts, axis=0) > 0.9 * np.ptp(root, axis=0)).all()
    assert np.ptp(cap.verts, axis=0).max() < 0.5


def test_a_draped_hide_hangs_from_its_chest_to_the_floor() -> None:
    points = np.array([[0.0, 0.0, 0.0], [0.0, 9.0, 0.0]])
    top, hanging = hides.draped(Random(1), points)
    assert top > 3.7
    assert 0.0 <= hanging < 1.0
