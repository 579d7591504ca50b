"""The layout as a test: who may import whom, and what must not be imported before a command needs it."""

import ast
import configparser
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted([*ROOT.glob("kerasnets/**/*.py"), *ROOT.glob("pipelines/**/*.py")])
HEAVY = {
    "tensorflow",
    "keras",
    "pandas",
    "matplotlib",
    "sklearn",
    "keras_tuner",
    "tensorflow_datasets",
    "scipy",
    "jinja2",
}
TENSORFLOW = {"tensorflow", "keras", "keras_tuner", "tensorflow_datasets"}

# A part of the project: what it may import of the others. Data flows one way, nothing reaches back.
ALLOWED = {
    "pipelines": set(),
    "kerasnets.errors": set(),
    "kerasnets.layers": {"kerasnets.errors"},
    "kerasnets.models": {"kerasnets.errors", "kerasnets.layers"},
    "kerasnets.runs": {"kerasnets.errors"},
    "kerasnets.recipes": {"kerasnets.errors", "kerasnets.models", "kerasnets.training", "pipelines"},
    "kerasnets.evaluation": {"kerasnets.errors", "kerasnets.models", "pipelines"},
    "kerasnets.reporting": {"kerasnets.errors", "kerasnets.evaluation", "kerasnets.runs", "pipelines"},
    "kerasnets.training": {
        "kerasnets",  # its version, for env.json
        "kerasnets.errors",
        "kerasnets.evaluation",
        "kerasnets.layers",
        "kerasnets.models",
        "kerasnets.reporting",
        "kerasnets.runs",
        "pipelines",
    },
    "kerasnets.export": {
        "kerasnets",
        "kerasnets.errors",
        "kerasnets.evaluation",
        "kerasnets.models",
        "kerasnets.runs",
        "kerasnets.training",
        "pipelines",
    },
    "kerasnets.studies": {
        "kerasnets.errors",
        "kerasnets.evaluation",
        "kerasnets.models",
        "kerasnets.recipes",
        "kerasnets.reporting",
        "kerasnets.runs",
        "kerasnets.training",
        "pipelines",
    },
    "kerasnets.search": {
        "kerasnets",
        "kerasnets.errors",
        "kerasnets.evaluation",
        "kerasnets.models",
        "kerasnets.recipes",
        "kerasnets.reporting",
        "kerasnets.runs",
        "kerasnets.studies",
        "kerasnets.training",
        "pipelines",
    },
    "kerasnets.cli": {
        "kerasnets",
        "kerasnets.errors",
        "kerasnets.evaluation",
        "kerasnets.export",
        "kerasnets.models",
        "kerasnets.recipes",
        "kerasnets.reporting",
        "kerasnets.runs",
        "kerasnets.search",
        "kerasnets.studies",
        "kerasnets.training",
        "pipelines",
    },
}
# Imported for --help and for a mistyped flag, or by `import kerasnets, pipelines`.
LIGHT = ["kerasnets/errors.py", "kerasnets/recipes.py", "kerasnets/training/config.py", "kerasnets/models/names.py"]
LIGHT += ["kerasnets/models/options.py", "pipelines/errors.py", "pipelines/reading.py", "pipelines/dataset_names.py"]
LIGHT += ["pipelines/augmentation.py"]


def test_there_is_something_to_check():
    assert len(SOURCES) > 40


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def part_of(module: str) -> str:
    """The part of the project that a module belongs to: ``pipelines``, or the first two names under ``kerasnets``."""
    names = module.split(".")
    return names[0] if names[0] == "pipelines" else ".".join(names[:2])


def imported(node: ast.AST, path: Path) -> list[str]:
    """Full names of the modules that one import statement names; [] for any other node."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, f"{path}: relative imports hide which part is meant"
        submodules = [f"{node.module}.{alias.name}" for alias in node.names]
        here = [name for name in submodules if is_module(name)]
        return here if here and node.module == "kerasnets" else [node.module]
    return []


def is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


def all_imports(path: Path) -> set[str]:
    """Every module a file imports, wherever in the file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {name for node in ast.walk(tree) for name in imported(node, path)}


def top_level_imports(path: Path) -> set[str]:
    """The modules that importing the file imports: functions are left out, `if` and `try` are not."""

    def reached(nodes) -> Iterator[ast.AST]:
        for node in nodes:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                continue
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
                continue
            yield node
            yield from reached(ast.iter_child_nodes(node))

    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {name for node in reached(tree.body) for name in imported(node, path)}


def parts_imported(path: Path) -> set[str]:
    inside = {part_of(name) for name in all_imports(path) if name.split(".")[0] in ("kerasnets", "pipelines")}
    return inside - {part_of(module_name(path))}


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_imports_go_in_the_allowed_directions(path):
    part = part_of(module_name(path))
    if part == "kerasnets":  # the package itself re-exports lazily and imports nothing
        assert parts_imported(path) == set()
        return
    assert part in ALLOWED, f"{part} is new: say in ALLOWED what it may import"
    assert parts_imported(path) <= ALLOWED[part]


def test_allowed_directions_have_no_cycle():
    seen: list[str] = []

    def visit(part: str, chain: tuple[str, ...]):
        assert part not in chain, " -> ".join([*chain, part])
        for other in ALLOWED.get(part, set()):
            visit(other, (*chain, part))
        seen.append(part)

    for part in ALLOWED:
        visit(part, ())
    assert set(seen) >= set(ALLOWED)


def test_nobody_imports_the_command_line_or_scripts():
    for path in SOURCES:
        if part_of(module_name(path)) != "kerasnets.cli":
            assert not [name for name in all_imports(path) if name.startswith("kerasnets.cli")], path
        assert not [name for name in all_imports(path) if name.split(".")[0] == "scripts"], path


def closure(path: Path) -> dict[str, str]:
    """Third-party and own modules that importing a file brings in, with the file that imports each."""
    found: dict[str, str] = {}
    waiting = [path]
    while waiting:
        file = waiting.pop()
        for name in top_level_imports(file) | parents(top_level_imports(file)):
            if name not in found:
                found[name] = module_name(file)
                waiting += own_files(name)
    return found


def parents(names: set[str]) -> set[str]:
    """Importing a.b.c imports a and a.b too."""
    return {".".join(name.split(".")[:n]) for name in names for n in range(1, name.count(".") + 1)}


def own_files(name: str) -> list[Path]:
    path = ROOT.joinpath(*name.split("."))
    return [file for file in (path / "__init__.py", path.with_suffix(".py")) if file.is_file()]


@pytest.mark.parametrize(
    "path",
    [
        path
        for path in SOURCES
        if path.name == "__init__.py" or "cli" in path.parts or str(path.relative_to(ROOT)) in LIGHT
    ],
    ids=module_name,
)
def test_what_is_imported_early_brings_no_heavy_package(path):
    heavy = {name: by for name, by in closure(path).items() if name.split(".")[0] in HEAVY}
    if path.relative_to(ROOT).parts[:2] == ("pipelines", "sources"):
        heavy = {name: by for name, by in heavy.items() if name.split(".")[0] in TENSORFLOW}
    assert heavy == {}


def test_no_file_is_named_after_nothing():
    vague = {"utils", "util", "helpers", "helper", "common", "misc", "base"}
    files = [path for path in ROOT.glob("**/*.py") if not any(part.startswith(".") for part in path.parts)]
    assert [str(path) for path in files if path.stem in vague or path.parent.name in vague] == []


def test_tests_mirror_the_tree():
    assert list(ROOT.glob("tests/**/__init__.py")) == []
    folders = {path.parent.relative_to(ROOT / "tests") for path in ROOT.glob("tests/**/test_*.py")}
    assert [str(folder) for folder in folders if not list((ROOT / folder).glob("*.py")) and folder != Path()] == []


def test_every_module_says_what_is_inside():
    assert [str(path) for path in SOURCES if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))] == []


def test_every_third_party_import_is_a_declared_dependency():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    lines = (config["options"]["install_requires"] + config["options.extras_require"]["test"]).splitlines()
    declared = {line.split(">")[0].split("=")[0].strip().lower().replace("-", "_") for line in lines}
    imported_as = {"grpc": "grpcio", "sklearn": "scikit_learn", "PIL": "pillow", "yaml": "pyyaml"}
    names = {name.split(".")[0] for path in SOURCES for name in all_imports(path)}
    third_party = names - set(sys.stdlib_module_names) - {"kerasnets", "pipelines"}
    assert {imported_as.get(name, name) for name in third_party} <= declared
