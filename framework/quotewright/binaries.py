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
from typing import Any

VARIABLE = "QUOTEWRIGHT_KERNELS"
PACKAGES = ("quotewright", "quotewright_simexchange")
CANNOT = 4
"""Exit code when the form that was asked for cannot be had."""
NOTE = "interpreted.txt"
"""The file in which a build that compiled nothing leaves its reason."""
NO_COMPILER = "no C compiler works here"
STAMP_FORMAT = 1


def digest_of(files: Iterable[Path]) -> str:
    """Return one digest over the files, in the order given, line ends made alike."""
    return hashlib.sha256(b"\0".join(f.read_bytes().replace(b"\r\n", b"\n") for f in files)).hexdigest()[:32]


def digest(header: Path) -> str:
    """Return the digest of one kernel: its .py and .pxd together."""
    return digest_of((header.with_suffix(".py"), header.with_suffix(".pxd")))


def stamp_text(roots: Sequence[str], headers: Iterable[Path], recipe: str = "") -> str:
    """Return the JSON text that a build writes beside its binaries: one digest per kernel."""
    named = {}
    for header in headers:
        root = next(root for root in roots if Path(root) in header.parents)
        named[header.relative_to(root).with_suffix("").as_posix()] = digest(header)
    stamp = {"format": STAMP_FORMAT, "recipe": recipe, "kernels": dict(sorted(named.items()))}
    return json.dumps(stamp, indent=1) + "\n"


def read_stamp(path: Path) -> dict[str, Any]:
    """Return the stamp at *path*; an empty one if it is absent, unreadable or of another format."""
    try:
        stamp = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) and stamp.get("format") == STAMP_FORMAT else {}


def stamp_path() -> Path:
    """Return where the stamp of this interpreter's binaries stands, present or not."""
    return Path(__file__).parent / f"compiled{EXTENSION_SUFFIXES[0]}.json"


def roots() -> dict[str, Path]:
    """Return the folder of each package that holds kernels, also before it is imported.

    Installed, the packages stand side by side; in the source tree each has its own root.
    """
    here = Path(__file__).parent
    found = {"quotewright": here}
    for candidate in (here.parent, here.parent.parent / "simexchange", *map(Path, sys.path)):
        folder = candidate / "quotewright_simexchange"
        if folder.is_dir():
            found["quotewright_simexchange"] = folder
            break
    return found


def headers() -> dict[str, Path]:
    """Return the header of every kernel by the kernel's name, ``quotewright/kernel/ladder``."""
    return {
        file.relative_to(folder.parent).with_suffix("").as_posix(): file
        for folder in roots().values()
        for file in sorted(folder.rglob("*.pxd"))
    }


def trouble() -> str:
    """Return why the compiled kernels must not be used, naming the file; an empty text if nothing is wrong."""
    if form() == "interpreted":
        return ""
    path = stamp_path()
    stamped = read_stamp(path).get("kernels")
    if stamped is None:
        return f"compiled kernels stand beside no readable {path.name}: {_remedy()}"
    present = headers()
    for name, header in present.items():
        if name not in stamped or not _binary(header):
            return f"{name}.py is a kernel that is not compiled, while others are: {_remedy()}"
        if stamped[name] != digest(header):
            return f"{name}.py has changed since it was compiled: {_remedy()}"
    gone = sorted(set(stamped) - set(present))
    if gone:
        return f"{gone[0]}.py was compiled but is gone: {_remedy()}"
    return ""


def form() -> str:
    """Return ``compiled`` or ``interpreted``: the form in which kernels are imported in this process."""
    if os.environ.get(VARIABLE) == "interpreted":
        return "interpreted"
    return "compiled" if any(map(_binary, headers().values())) else "interpreted"


def reason() -> str:
    """Return why the kernels are interpreted, in a few words; an empty text if they are compiled."""
    if form() == "compiled":
        return ""
    if os.environ.get(VARIABLE) == "interpreted":
        return f"{VARIABLE}=interpreted"
    note = Path(__file__).parent / NOTE
    if note.exists():
        return note.read_text(encoding="utf-8").strip()
    if _has_setup():
        return "no binaries stand beside the sources; python setup.py build_ext --inplace makes them"
    return "installed without binaries"


def _binary(header: Path) -> Path | None:
    for suffix in EXTENSION_SUFFIXES:
        file = header.with_name(header.stem + suffix)
        if file.exists():
            return file
    return None


def _has_setup() -> bool:
    return (Path(__file__).parents[2] / "setup.py").exists()


def _remedy() -> str:
    return "run python setup.py build_ext --inplace" if _has_setup() else "install quotewright again"


class _SourceFirst:
    """A finder that prefers the .py of our packages, so that binaries beside it are passed over."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if path is None or name.partition(".")[0] not in PACKAGES:
            return None
        found = (FileFinder(entry, (SourceFileLoader, [".py"])).find_spec(name) for entry in path)
        return next((spec for spec in found if spec is not None and spec.loader is not None), None)


def install() -> None:
    """Obey ``QUOTEWRIGHT_KERNELS``; exit 4 if it asks for a form that cannot be had."""
    wanted = os.environ.get(VARIABLE, "")
    if wanted == "interpreted":
        if not any(isinstance(finder, _SourceFirst) for finder in sys.meta_path):
            sys.meta_path.insert(0, _SourceFirst())
    elif wanted == "compiled":
        why = trouble() if form() == "compiled" else f"no compiled kernels are here ({reason()})"
        if why:
            _refuse(f"{VARIABLE}=compiled: {why}")
    elif wanted:
        _refuse(f"{VARIABLE}={wanted}: expected compiled or interpreted")


def _refuse(why: str) -> None:
    print(f"quotewright: {why}", file=sys.stderr)
    sys.exit(CANNOT)
