"""Who may import whom, and what may not be imported at all."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.tree import ROOTS, headers, imports, module_name, modules, package, parsed, shown

ALLOWED = {
    "quotewright": {"quotewright"},
    "quotewright_plugins": {"quotewright", "quotewright_plugins"},
    "quotewright_simexchange": {"quotewright", "quotewright_simexchange"},
}
FAMILIES = ("quotewright_plugins.exchanges", "quotewright_simexchange.dialects")
PURE = [
    *sorted(package("quotewright").glob("kernel/**/*.py")),
    *package("quotewright_simexchange").glob("matching/**/*.py"),
]
IMPURE = {"time", "random", "datetime", "secrets", "uuid", "asyncio", "anyio", "os", "threading", "socket"}
UNSAFE = {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "yaml"}
HEAVY = ("numpy", "plotly", "rich", "asyncio", "anyio", "Cython")
PLACES = ("quotewright", "quotewright.cli.main", "quotewright_plugins.bundle", "quotewright_simexchange.bundle")


@pytest.mark.parametrize("name", ROOTS)
def test_packages_import_in_one_direction(name):
    wrong = [
        f"{shown(file)}:{line} imports {imported}"
        for file in modules(name)
        for imported, line in imports(file)
        if (top := imported.partition(".")[0]) in ROOTS and top not in ALLOWED[name]
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("family", FAMILIES)
def test_exchanges_do_not_import_each_other(family):
    wrong = []
    for file in modules(family.partition(".")[0]):
        here = module_name(file)
        if not here.startswith(family + ".") or len(here.split(".")) < 3:
            continue
        own = here.split(".")[2]
        for imported, line in imports(file):
            parts = imported.split(".")
            is_folder = (
                len(parts) > 2 and (package(parts[0]) / parts[1] / parts[2]).is_dir() if parts[0] in ROOTS else False
            )
            if imported.startswith(family + ".") and is_folder and parts[2] != own:
                wrong.append(f"{shown(file)}:{line} imports {imported}")
    assert not wrong, "\n".join(wrong)


def test_nothing_imports_cython_at_run_time():
    wrong = [
        f"{shown(file)}:{line}"
        for file in modules()
        for name, line in imports(file)
        if name.lower().split(".")[0] == "cython"
    ]
    assert not wrong, wrong


def test_nothing_imports_what_runs_code_from_data():
    wrong = [
        f"{shown(file)}:{line} {name}"
        for file in modules()
        for name, line in imports(file)
        if name.split(".")[0] in UNSAFE
    ]
    for file in modules():
        for node in ast.walk(parsed(file)):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in ("eval", "exec", "compile")
            ):
                wrong.append(f"{shown(file)}:{node.lineno} {node.func.id}()")
    assert not wrong, wrong


@pytest.mark.parametrize("place", PLACES)
def test_nothing_heavy_is_imported_at_start_up(place):
    code = f"import sys, {place}; print(*sorted({HEAVY!r} & sys.modules.keys()))".replace(repr(HEAVY), repr(set(HEAVY)))
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout.strip()) == (0, ""), ran.stderr


@pytest.mark.parametrize("name", ["quotewright_plugins", "quotewright_simexchange"])
def test_shipped_plugins_use_no_private_door(name):
    """What a stranger's plugin cannot rely on, ours do not use either: no underscored name of the framework."""
    wrong = []
    for file in modules(name):
        ours = set()
        for node in ast.walk(parsed(file)):
            if isinstance(node, ast.Import | ast.ImportFrom):
                origin = node.module if isinstance(node, ast.ImportFrom) else ""
                for alias in node.names:
                    whole = f"{origin}.{alias.name}" if origin else alias.name
                    if whole.split(".")[0] == "quotewright":
                        ours.add((alias.asname or alias.name).partition(".")[0])
                        if any(is_private(part) for part in whole.split(".")):
                            wrong.append(f"{shown(file)}:{node.lineno} imports {whole}")
        for node in ast.walk(parsed(file)):
            if isinstance(node, ast.Attribute) and is_private(node.attr) and base(node) in ours:
                wrong.append(f"{shown(file)}:{node.lineno} uses {base(node)}…{node.attr}")
    assert not wrong, "\n".join(wrong)


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__")


def base(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


@pytest.mark.parametrize("file", PURE, ids=shown)
def test_the_pipeline_knows_no_clock_and_no_chance(file: Path):
    wrong = [f"line {line} imports {name}" for name, line in imports(file) if name.split(".")[0] in IMPURE]
    assert not wrong, wrong


@pytest.mark.parametrize("file", PURE, ids=shown)
def test_the_pipeline_never_goes_through_a_set(file: Path):
    """A set's order depends on the hash seed; ``sorted(a_set)`` is the way."""
    tree = parsed(file)
    names = {
        ast.unparse(target)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None and is_set(node.value)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
    }
    walked = []
    for node in ast.walk(tree):
        if isinstance(node, ast.For | ast.comprehension):
            walked.append(node.iter)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id in ("list", "tuple", "iter", "enumerate", "zip", "map", "next", "dict"):
                walked += node.args
        elif isinstance(node, ast.Starred):
            walked.append(node.value)
    wrong = [f"line {each.lineno}" for each in walked if is_set(each) or ast.unparse(each) in names]
    assert not wrong, f"{shown(file)}: {wrong}"


def is_set(node: ast.expr) -> bool:
    called = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
    return isinstance(node, ast.Set | ast.SetComp) or called in ("set", "frozenset")


def test_there_are_kernels_to_look_at():
    assert len(headers()) > 10
    assert len(PURE) > 10
