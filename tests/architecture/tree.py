"""The project's own files, as the tests of its architecture read them."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

TREE = Path(__file__).resolve().parents[2]
ROOTS = {"quotewright": "framework", "quotewright_plugins": "plugins", "quotewright_simexchange": "simexchange"}
PASSED_OVER = {"build", "dist", "runs", "venv", "__pycache__"}


def package(name: str) -> Path:
    """Return the folder of one of our packages."""
    return TREE / ROOTS[name] / name


def modules(*names: str) -> list[Path]:
    """Return every module of these packages, of all three if none is named."""
    return [file for name in names or ROOTS for file in sorted(package(name).rglob("*.py"))]


def headers() -> list[Path]:
    """Return every kernel's header."""
    return [file for name in ROOTS for file in sorted(package(name).rglob("*.pxd"))]


def shown(file: Path) -> str:
    """Return how a file is named in a test's id and in a message."""
    return file.relative_to(TREE).as_posix()


@cache
def files() -> list[Path]:
    """Return every file of the project but for what tools leave behind."""
    found = []
    for folder, inner, names in os.walk(TREE):
        inner[:] = sorted(name for name in inner if not is_left_behind(name))
        found += [Path(folder, name) for name in sorted(names) if name == ".gitignore" or not name.startswith(".")]
    return found


def is_left_behind(folder: str) -> bool:
    hidden = folder.startswith(".") and folder != ".ci"
    return hidden or folder in PASSED_OVER or folder.endswith(".egg-info")


@cache
def parsed(file: Path) -> ast.Module:
    """Return the syntax tree of a module."""
    return ast.parse(file.read_text(encoding="utf-8"), str(file))


def module_name(file: Path) -> str:
    """Return the dotted name under which a module of ours is imported."""
    root = next(TREE / root for root in ROOTS.values() if TREE / root in file.parents)
    return ".".join(file.relative_to(root).with_suffix("").parts).removesuffix(".__init__")


def imports(file: Path) -> Iterator[tuple[str, int]]:
    """Yield the full dotted name of everything a module imports, also inside functions, with its line.

    ``from a.b import c`` gives ``a.b.c``, whether c is a module or not.
    """
    for node in ast.walk(parsed(file)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                here = module_name(file).split(".")
                kept = len(here) - node.level + (file.name == "__init__.py")
                base = ".".join([*here[:kept], *filter(None, [base])])
            yield from ((f"{base}.{alias.name}", node.lineno) for alias in node.names)
