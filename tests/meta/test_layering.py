"""A module imports from lower floors and from rooms below its own, and never in circles."""

import ast
import functools
import re
from pathlib import Path

import pytest

import akita_bayes

ROOT = Path(akita_bayes.__file__).parent
FLOORS = {
    "files": 0,
    "numerics": 0,
    "origins": 0,
    "workers": 0,
    "specs": 0,
    "mechanisms": 0,
    "layers": 1,
    "blocks": 2,
    "models": 3,
    "data": 3,
    "simulate": 3,
    "training": 4,
    "variants": 4,
    "evaluate": 4,
    "regulation": 4,
    "plots": 5,
    "report": 5,
    "cli": 6,
}
ROOMS = {
    "models": (
        *("passes", "saved_models", "intervals", "checkpoints", ""),
        *("incremental", "published_models"),
    ),
    "simulate": ("measurement", "", "simulation_folder"),
    "data": ("", "contacts", "map_files", "records", "preparation"),
    "training": ("objectives", "updates", "run_files", "teachers", ""),
    "plots": ("", "reports"),
    "variants": ("alleles", "scores", "maps", "", "scored_files", "saturation", "intervals"),
    "evaluate": ("", "intervals"),
    "regulation": (
        "layers",
        "assay",
        "model",
        "fits",
        "marginal",
        "posterior",
        "compare",
        "plots",
        "results",
    ),
}
"""The rooms of each wing from the ground up; "" stands for the modules of the wing's own folder."""

SIBLINGS = {
    *(("simulate", "data"), ("mechanisms", "specs")),
    *(("", "files"), ("specs", "files"), ("mechanisms", "files"), ("origins", "files")),
}
"""Who may import a neighbour on its floor: simulators write data, mechanisms train like maps."""

FIGURES = {("regulation.plots", "plots")}
"""Rooms of figures inside a wing, and the floor of figures that they may use."""

NEVER = {("plots", "models")}
GROUND = sorted(path.stem for path in ROOT.glob("*.py") if not path.stem.startswith("__"))
SMALL_ROOM = 14
"""The largest number of modules in a folder; the commands in `cli/` are not counted."""

HEAVY = {"tensorflow", "keras", "tensorflow_probability", "tf_keras"}
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts): path
    for path in ROOT.rglob("*.py")
    if path.name != "__main__.py"
}


def folder(module: str) -> str:
    """Returns the wing of a module, '' on the ground floor."""
    return module.split(".")[0] if "." in module else ""


def room(module: str) -> str:
    """Returns the folder of a module inside its wing, '' for the wing's own modules."""
    return ".".join(module.split(".")[1:-1])


@functools.cache
def statements(module: str) -> list[tuple[str, bool]]:
    """Absolute names that a module imports, and whether it does so when it is itself imported."""
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    lazy = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test))
        for inner in ast.walk(node)
    }
    imports = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imports += [(alias.name, id(node) not in lazy) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: imports are absolute"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            imports += [(name, id(node) not in lazy) for name in names]
    return imports


def inner_imports(module: str, *, at_once: bool = False) -> set[str]:
    """Modules of this package that a module imports."""
    imports = set()
    for name, eager in statements(module):
        if name.split(".")[0] != "akita_bayes" or (at_once and not eager):
            continue
        parts = name.split(".")[1:]
        for size in (len(parts), len(parts) - 1):
            for candidate in (".".join(parts[:size]), ".".join([*parts[:size], "__init__"])):
                if size and candidate in MODULES:
                    imports.add(candidate)
                    break
            else:
                continue
            break
    return imports


def test_every_folder_has_a_floor():
    assert {folder(module) for module in MODULES} - {""} <= set(FLOORS)


@pytest.mark.parametrize("module", sorted(set(MODULES) - {"__init__"}))
def test_imports_go_down_or_stay_in_the_folder(module: str):
    wing = folder(module)
    for imported in inner_imports(module):
        target = folder(imported)
        allowed = (
            wing == target
            or FLOORS.get(target, -1) < FLOORS.get(wing, -1)
            or (wing, target) in SIBLINGS
            or (f"{wing}.{room(module)}", target) in FIGURES
        )
        assert allowed, f"{module} imports {imported}"
        assert (wing, target) not in NEVER, f"{module} imports {imported}"


def test_every_room_of_a_wing_is_listed():
    rooms: dict[str, set[str]] = {}
    for module in MODULES:
        if not module.endswith("__init__"):
            rooms.setdefault(folder(module), set()).add(room(module))
    assert {wing: names for wing, names in rooms.items() if names != {""}} == {
        wing: set(names) for wing, names in ROOMS.items()
    }


@pytest.mark.parametrize("wing", sorted(ROOMS))
def test_rooms_import_only_rooms_below_them(wing: str):
    order = ROOMS[wing]
    for module in MODULES:
        if folder(module) != wing or module.endswith("__init__"):
            continue
        for imported in inner_imports(module):
            if folder(imported) == wing and not imported.endswith("__init__"):
                assert order.index(room(imported)) <= order.index(room(module)), (
                    f"{module} imports {imported}"
                )


def test_the_ground_floor_has_six_modules_of_its_own():
    assert GROUND == ["dna", "errors", "keywords", "progress", "regions", "triangle"]


def test_no_folder_is_crowded():
    counts: dict[str, int] = {}
    for module in MODULES:
        if not module.endswith("__init__") and not module.startswith(("cli.akita_", "cli.mpra_")):
            counts[module.rpartition(".")[0]] = counts.get(module.rpartition(".")[0], 0) + 1
    assert {name: count for name, count in counts.items() if count > SMALL_ROOM} == {}


def test_no_file_name_stands_twice():
    names = [module.rpartition(".")[2] for module in MODULES if not module.endswith("__init__")]
    assert sorted({name for name in names if names.count(name) > 1}) == []


def test_every_folder_has_its_floor_here_and_on_the_page(repository: Path):
    page = (repository / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d) \| (.*?) \|", page, re.MULTILINE)
    documented = {
        name: int(floor) for floor, names in rows for name in re.findall(r"`(\w+)/`", names)
    }
    assert documented == FLOORS
    assert set(FLOORS) == {folder(module) for module in MODULES} - {""}


def test_no_module_imports_itself_through_others():
    graph = {module: inner_imports(module, at_once=True) - {module} for module in MODULES}
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join([*path[path.index(module) :], module])
        if module not in done:
            for target in graph[module]:
                visit(target, (*path, module))
            done.add(module)

    for module in graph:
        visit(module, ())


@pytest.mark.parametrize(
    "module", [*GROUND, *(name for name in MODULES if FLOORS.get(folder(name)) == 0)]
)
def test_the_ground_floor_knows_no_tensorflow(module: str):
    assert not {name.split(".")[0] for name, _ in statements(module)} & HEAVY


def test_layers_are_written_with_keras_ops():
    for module in MODULES:
        if folder(module) not in ("layers", "blocks"):
            continue
        eager = {name.split(".")[0] for name, at_once in statements(module) if at_once}
        assert not eager & {"tensorflow", "tf_keras"}, module
        every = {name.split(".")[0] for name, _ in statements(module)}
        assert "tensorflow_probability" not in every, f"{module}: layers.distributions imports it"


def test_no_file_is_long():
    lengths = {name: path.read_text(encoding="utf-8").count("\n") for name, path in MODULES.items()}
    assert {name: lines for name, lines in lengths.items() if lines > 400} == {}
    assert sorted(lengths.values())[len(lengths) // 2] <= 160


def test_no_file_has_a_vague_name():
    vague = {"utils", "util", "helpers", "core", "misc", "common"}
    assert not {name for name in MODULES if set(name.split(".")) & vague}
