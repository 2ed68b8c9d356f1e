"""Which form of the kernels runs, compiled or interpreted, and whether a binary still fits its source.

``setup.py`` runs this file by path to stamp a build, so it imports the standard library only.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterable, Sequence
from importlib.machinery import EXTENSION_SUFFIXES, FileFinder, ModuleSpec, SourceFileLoader
from pathlib import Path
from types import ModuleType

VARIABLE = "QUOTEWRIGHT_KERNELS"
PACKAGES = ("quotewright", "quotewright_simexchange")
CANNOT = 4
"""Exit code when the form that was asked for cannot be had."""


def digest(path: Path) -> str:
    """Return the digest of one kernel: its .py and .pxd together, line ends made alike."""
    parts = [file.read_bytes().replace(b"\r\n", b"\n") for file in (path.with_suffix(".py"), path.with_suffix(".pxd"))]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:32]


def stamp_text(roots: Sequence[str], headers: Iterable[Path]) -> str:
    """Return the JSON text that a build writes beside its binaries: one digest per kernel."""
    named = {}
    for header in headers:
        root = next(root for root in roots if Path(root) in header.parents)
        named[header.relative_to(root).with_suffix("").as_posix()] = digest(header)
    return json.dumps({"format": 1, "kernels": dict(sorted(named.items()))}, indent=1) + "\n"


def stamp_path() -> Path:
    """Return where the stamp of this interpreter's binaries stands, present or not."""
    return Path(__file__).parent / f"compiled{EXTENSION_SUFFIXES[0]}.json"


def roots() -> dict[str, Path]:
    """Return the folder of each package that holds kernels, also before it is imported."""
    here = Path(__file__).parent
    found = {"quotewright": here}
    for candidate in (here.parent, here.parent.parent / "simexchange", *map(Path, sys.path)):
        folder = candidate / "quotewright_simexchange"
        if folder.is_dir():
            found["quotewright_simexchange"] = folder
            break
    return found


def trouble() -> str:
    """Return why the compiled kernels must not be used, naming the file; an empty text if nothing is wrong."""
    if form() == "interpreted":
        return ""
    path = stamp_path()
    if not path.exists():
        return f"compiled kernels stand beside no {path.name}: run python setup.py build_ext --inplace"
    stamped = json.loads(path.read_text(encoding="utf-8"))["kernels"]
    folders = roots()
    present = {
        file.relative_to(folder.parent).with_suffix("").as_posix(): file
        for folder in folders.values()
        for file in folder.rglob("*.pxd")
    }
    for name, header in sorted(present.items()):
        if name not in stamped:
            return f"{name}.py is a kernel that was never compiled: run python setup.py build_ext --inplace"
        if stamped[name] != digest(header):
            return f"{name}.py has changed since it was compiled: run python setup.py build_ext --inplace"
    gone = sorted(set(stamped) - set(present))
    if gone:
        return f"{gone[0]}.py was compiled but is gone: run python setup.py build_ext --inplace"
    return ""


def form() -> str:
    """Return ``compiled`` or ``interpreted``: the form in which kernels are imported in this process."""
    if os.environ.get(VARIABLE) == "interpreted":
        return "interpreted"
    return "compiled" if _has_binaries() else "interpreted"


def _has_binaries() -> bool:
    kernel = Path(__file__).parent / "kernel"
    return any((kernel / f"rows{suffix}").exists() for suffix in EXTENSION_SUFFIXES)


class _SourceFirst:
    """A finder that prefers the .py of our packages, so that binaries beside it are passed over."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if path is None or name.partition(".")[0] not in PACKAGES:
            return None
        for entry in path:
            spec = FileFinder(entry, (SourceFileLoader, [".py"])).find_spec(name)
            if spec is not None and spec.loader is not None:
                return spec
        return None


def install() -> None:
    """Obey ``QUOTEWRIGHT_KERNELS``; exit 4 if it asks for a form that cannot be had."""
    wanted = os.environ.get(VARIABLE, "")
    if wanted == "interpreted":
        if not any(isinstance(finder, _SourceFirst) for finder in sys.meta_path):
            sys.meta_path.insert(0, _SourceFirst())
    elif wanted == "compiled":
        why = trouble() if _has_binaries() else "no compiled kernels are installed: run python setup.py build_ext --inplace"
        if why:
            _refuse(f"{VARIABLE}=compiled: {why}")
    elif wanted:
        _refuse(f"{VARIABLE}={wanted}: expected compiled or interpreted")


def _refuse(why: str) -> None:
    print(f"quotewright: {why}", file=sys.stderr)
    sys.exit(CANNOT)
