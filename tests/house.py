"""The rules of the house, read off the source with `ast`. Each takes a path and its text and returns the broken places.

`tests/test_house.py` runs them over the repository, and each over a snippet that must fail.
"""

import ast
import re
import sys
from collections.abc import Callable, Iterator
from importlib.machinery import PathFinder
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("data", "features", "training", "registry", "serving")
FOLDERS = {*PACKAGES, "notebooks", "tests", "benchmarks", "docs", "docker", "requirements"}
ALLOWED = {
    "data": set[str](),
    "features": {"data"},
    "registry": {"features", "data"},
    "training": {"registry", "features", "data"},
    "serving": {"registry", "features", "data"},
}
HEAVY = {"mlflow", "sklearn", "scipy", "pandas", "pyarrow", "duckdb", "lightgbm", "matplotlib", "dask", "optuna"}
RUNS_WHAT_IT_LOADS = {"pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve", "jsonpickle"}
CLOCKS = {
    ("time", "time"),
    ("time", "time_ns"),
    ("datetime", "now"),
    ("datetime", "utcnow"),
    ("datetime", "today"),
    ("date", "today"),
}
LONGEST_FILE = 400
MOST_NAMES = 12


class Imported(NamedTuple):
    """One imported module: its dotted name, its line, and whether importing the file imports it at once."""

    name: str
    line: int
    at_once: bool


def imports(text: str, package: str = "") -> list[Imported]:
    """Every module a source imports, relative ones resolved against `package`.

    `from data import funnel` gives both `data` and `data.funnel`.
    """
    found: list[Imported] = []
    _collect(ast.parse(text), package, at_once=True, found=found)
    return found


def _collect(node: ast.AST, package: str, *, at_once: bool, found: list[Imported]) -> None:
    for child in ast.iter_child_nodes(node):
        later = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) or _is_for_types_only(child)
        found.extend(Imported(name, child.lineno, at_once) for name in _names(child, package))  # type: ignore[attr-defined]
        _collect(child, package, at_once=at_once and not later, found=found)


def _is_for_types_only(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)


def _names(node: ast.AST, package: str) -> list[str]:
    match node:
        case ast.Import(names=names):
            return [alias.name for alias in names]
        case ast.ImportFrom(module=module, names=names, level=level):
            above = package.split(".")[: len(package.split(".")) - level + 1] if level else []
            base = ".".join([*above, *([module] if module else [])])
            return [base, *(f"{base}.{alias.name}" for alias in names if base.split(".")[0] in PACKAGES)]
        case ast.Call(func=func, args=[ast.Constant(value=str(name)), *_]) if "import_module" in ast.dump(func):
            return [name]
        case ast.Call(func=ast.Name(id="__import__"), args=[ast.Constant(value=str(name)), *_]):
            return [name]
    return []


def package_of(path: Path) -> str:
    """The package that relative imports of this file start from: `features/a.py` -> `features`."""
    return ".".join(path.parent.parts)


def wrong_direction(path: Path, text: str) -> list[str]:
    """Imports against DESIGN 3, however late they happen."""
    home = path.parts[0]
    forbidden = {*PACKAGES, "leadscore"} - {home} - ALLOWED[home]
    return [f"{path}:{line} {home} must not import {name}" for name, line, _ in imports(text, package_of(path)) if name.split(".")[0] in forbidden]


def mlflow_outside_registry(path: Path, text: str) -> list[str]:
    """mlflow is imported by registry alone, so that the record can be changed in one place."""
    found = [line for name, line, _ in imports(text, package_of(path)) if name.split(".")[0] == "mlflow"]
    return [f"{path}:{line} only registry imports mlflow" for line in found if path.parts[0] != "registry"]


def eager_front_door(path: Path, text: str) -> list[str]:
    """leadscore.py imports only the standard library before it knows the command: `--help` stays instant."""
    return [
        f"{path}:{line} imports {name} before it knows the command: move it into the function that needs it"
        for name, line, at_once in imports(text)
        if at_once and name.split(".")[0] not in sys.stdlib_module_names
    ]


def reached(start: list[Path], source: Callable[[Path], str | None]) -> Iterator[tuple[Path, Imported]]:
    """(file, import) of all that importing the `start` files runs. `source` gives the text of a file, if it exists."""
    waiting, seen = list(start), set(start)
    while waiting:
        path = waiting.pop()
        for entry in imports(source(path) or "", package_of(path)):
            if not entry.at_once:
                continue
            yield path, entry
            fresh = [file for file in _files_of(entry.name) if file not in seen and source(file) is not None]
            seen.update(fresh)
            waiting.extend(fresh)


def _files_of(module: str) -> list[Path]:
    parts = module.split(".")
    if parts[0] not in PACKAGES:
        return []
    packages = [Path(*parts[: n + 1], "__init__.py") for n in range(len(parts))]
    return [*packages, Path(*parts[:-1], f"{parts[-1]}.py")]


def heavy_for_serving(source: Callable[[Path], str | None], start: list[Path]) -> list[str]:
    """Places through which starting the service would load a library that only training needs."""
    return sorted({f"{path}:{entry.line} {entry.name}" for path, entry in reached(start, source) if entry.name.split(".")[0] in HEAVY})


def loads_code(path: Path, text: str) -> list[str]:
    """Readers that run what they read: pickle and its kin, `allow_pickle=True`, eval, exec. Nothing stored is code."""
    broken = [f"{path}:{line} imports {name}" for name, line, _ in imports(text, package_of(path)) if name.split(".")[0] in RUNS_WHAT_IT_LOADS]
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.keyword(arg="allow_pickle", value=ast.Constant(value=True)):
                broken.append(f"{path}:{node.lineno} allow_pickle=True")
            case ast.Call(func=ast.Name(id="eval" | "exec" as name)):
                broken.append(f"{path}:{node.lineno} {name}()")
    return broken


def clock_reads(path: Path, text: str) -> list[str]:
    """Reads of the wall clock, by whatever name. `time.monotonic` and `perf_counter` are measures, not clocks."""
    tree = ast.parse(text)
    renamed = {
        alias.asname or alias.name: (getattr(node, "module", ""), alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    return [f"{path}:{node.lineno} {'.'.join(read)}" for node in ast.walk(tree) if (read := _clock(node, renamed))]  # type: ignore[attr-defined]


def _clock(node: ast.AST, renamed: dict[str, tuple[str | None, str]]) -> tuple[str, str] | None:
    match node:
        case ast.Attribute(value=ast.Name(id=owner), attr=name) | ast.Attribute(value=ast.Attribute(attr=owner), attr=name):
            read = (renamed.get(owner, ("", owner))[1], name)
        case ast.Name(id=name) if name in renamed:
            read = (str(renamed[name][0]), renamed[name][1])
        case _:
            return None
    return read if read in CLOCKS else None


def too_long(path: Path, text: str) -> list[str]:
    """Files of more than 400 lines hold more than one idea."""
    lines = text.count("\n")
    return [f"{path} has {lines} lines, at most {LONGEST_FILE}"] if lines > LONGEST_FILE else []


def catch_all_name(path: Path, _text: str) -> list[str]:
    """`utils.py` and its like gather what has no home."""
    return [f"{path}: name it after what it does"] if path.stem in {"utils", "util", "helpers", "common", "misc", "manager"} else []


def public_names(path: Path, text: str) -> list[str]:
    """A package lists what it offers in `__all__`, or in the dict that `__all__` is made of: at most 12 names."""
    literals = {
        target.id: node.value
        for node in ast.parse(text).body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    names = _count(literals.get("__all__"), literals)
    if names is None:
        return [f"{path} has no __all__ that can be counted: a list of names, or sorted() of a dict of them"]
    return [f"{path} offers {names} names, at most {MOST_NAMES}"] if names > MOST_NAMES else []


def _count(value: ast.AST | None, literals: dict[str, ast.expr | None]) -> int | None:
    match value:
        case ast.List(elts=items) | ast.Tuple(elts=items) | ast.Dict(keys=items):
            return len(items)
        case ast.Call(func=ast.Name(id="sorted" | "list" | "tuple"), args=[ast.Name(id=name)]):
            return _count(literals.get(name), literals)
    return None


# Written so that no pattern matches itself.
_PLACES = re.compile(
    r"pypi\.(org|python)|pythonhosted\.(org)|--(extra-)?index-(url)|--find-(links)|file:/(//)"
    r"|(?<![\w.~-])/(root|home|work|Users|opt/wheels|private)/|\b[A-Z]:\\\\?(Users)"
)


def names_a_place(path: Path, text: str) -> list[str]:
    """Hosts of package registries and folders of one machine: the repository works with any mirror, anywhere."""
    return [f"{path}:{n} {found[0]!r}" for n, line in enumerate(text.splitlines(), 1) if (found := _PLACES.search(line))]


def shadows(name: str, paths: list[str]) -> str | None:
    """Where a module that hides our package of that name lies, or None. A folder without `__init__.py` hides none."""
    spec = PathFinder.find_spec(name, paths)
    return spec.origin if spec and spec.origin else None
