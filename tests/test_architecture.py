"""The law of the floors: a file imports only from the floors below it, or from earlier steps of its own floor."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "tf_psgan"

# Floor by floor, and on each floor step by step; files of one step do not import each other.
FLOORS = (
    # 0: no TensorFlow
    (
        "config disk fields geometry made_noise pyramid quiet spectrum threads torus",
        "autocorrelation made_aperiodic made_periodic request scene",
        "made_textures moves",
        "made_many",
    ),
    # 1: pure tensor functions, files of pictures, the machine
    (
        "device images losses power raster_files reels served waves",
        "block_statistics initial_wave_numbers manifest noise",
        "power_loss",
    ),
    # 2: networks
    ("adam filter_gradients rectifiers", "layers", "discriminator generator", "conditioning folded"),
    # 3: uses of the networks
    ("data metrics tiles", "plane", "composition gan_step judge likeness signatures", "search result"),
    # 4: runs
    (
        "checkpoint progress raster_partial saved_model stopping",
        "model_card onnx_file raster run_folder tally warm_up",
        "movie release",
        "assessment evaluation preparation render",
        "report",
        "training_loop",
    ),
    # 5: the edge; of the package itself the files below know the version only
    ("__init__ flags",),
)
STEPS = {(floor, i): step.split() for floor, steps in enumerate(FLOORS) for i, step in enumerate(steps)}
PLACE = {name: place for place, names in STEPS.items() for name in names}
MODULES = sorted((ROOT / PACKAGE).rglob("*.py"))
SCRIPTS = sorted(path for path in ROOT.glob("*.py") if path.name != "setup.py")
HEAVY = {"tensorflow", "keras", "tensorboard", "jax", "torch"}


def imports(nodes):
    """The dotted names that import statements among the nodes may load, in order.

    `from package import name` counts as package.name: a module of the package or a name in `__init__`.
    So does the expression package.name.
    """
    found = []
    for node in nodes:
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = PACKAGE if node.level else ""
            base = ".".join(part for part in (base, node.module) if part)
            found += [f"{base}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == PACKAGE:
            found.append(f"{PACKAGE}.{node.attr}")
    return found


def everywhere(source):
    """Every import, also inside functions: a late import is a dependency too."""
    return imports(ast.walk(ast.parse(source)))


def roots(names):
    return {name.split(".")[0] for name in names}


def own(names):
    """The package's modules among imported names; `__init__` for what only the package itself defines."""
    parts = [name.split(".")[1] for name in names if name.startswith(f"{PACKAGE}.")]
    return {part if part in PLACE else "__init__" for part in parts if part != "__version__"}


def wrong(name, source):
    """The modules that this one imports and may not."""
    return sorted(other for other in own(everywhere(source)) if PLACE[other] >= PLACE[name])


def test_every_module_has_its_place():
    names = {path.relative_to(ROOT / PACKAGE).with_suffix("").as_posix().replace("/", ".") for path in MODULES}
    assert names - PLACE.keys() == set(), "put the new module into the table of floors"
    assert PLACE.keys() - names == set(), "the table names a module that is gone"
    assert len(PLACE) == sum(len(names) for names in STEPS.values()), "a module has two places"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_a_file_imports_only_from_below(path):
    # Places are in order and every import goes to an earlier one, so there can be no cycle.
    assert wrong(path.stem, path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("name", [name for (floor, _), names in STEPS.items() if floor == 0 for name in names])
def test_the_ground_floor_knows_no_tensorflow(name):
    source = (ROOT / PACKAGE / f"{name}.py").read_text(encoding="utf-8")
    assert roots(everywhere(source)).isdisjoint(HEAVY)


def test_the_edge_loads_tensorflow_only_when_it_has_to():
    # Otherwise --help and a misspelt flag would take seconds.
    for edge in PLACE:
        if PLACE[edge][0] == 5:
            names = imports(ast.parse((ROOT / PACKAGE / f"{edge}.py").read_text(encoding="utf-8")).body)
            assert roots(names).isdisjoint(HEAVY)
            assert {PLACE[name][0] for name in own(names)} <= {0}


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_script_begins_with_the_flags_and_nothing_else_of_the_package(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert own(imports(tree.body)) == {"flags"}
    assert roots(imports(ast.walk(tree))).isdisjoint(HEAVY)


def test_the_law_covers_the_scripts_there_are():
    assert {"train.py", "generate.py", "evaluate.py", "export.py"} <= {path.name for path in SCRIPTS}


def test_the_serving_side_knows_the_project_through_the_wire_only():
    for path in sorted((ROOT / "serving").rglob("*.py")):
        assert PACKAGE not in roots(everywhere(path.read_text(encoding="utf-8"))), path


@pytest.mark.parametrize(
    "name, source, expected",
    [
        ("noise", "from tf_psgan import plane, waves", ["plane"]),
        ("noise", "from tf_psgan.plane import Plane as P", ["plane"]),
        ("noise", "import tf_psgan.plane", ["plane"]),
        ("noise", "from . import plane", ["plane"]),
        ("noise", "from .plane import Plane", ["plane"]),
        ("noise", "def late():\n    from tf_psgan import plane", ["plane"]),
        ("noise", "from tf_psgan import manifest", ["manifest"]),  # the same step
        ("images", "from tf_psgan import manifest", ["manifest"]),  # a later step of the same floor
        ("manifest", "from tf_psgan import images", []),
        ("render", "import tf_psgan\nfrom tf_psgan import __version__", []),
        ("render", "import tf_psgan\nprint(tf_psgan.__version__)", []),
        ("render", "import tf_psgan\ntf_psgan.load_plane(path)", ["__init__"]),
        ("plane", "from tf_psgan import load_plane", ["__init__"]),
    ],
)
def test_the_law_sees_every_kind_of_import(name, source, expected):
    assert wrong(name, source) == expected


@pytest.mark.parametrize("name", ["layers", "generator", "discriminator", "losses", "config", "geometry"])
def test_the_networks_load_without_tensorflow_for_other_backends_of_keras(name):
    tree = ast.parse((ROOT / PACKAGE / f"{name}.py").read_text(encoding="utf-8"))
    assert "tensorflow" not in roots(imports(tree.body))
