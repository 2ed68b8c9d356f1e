"""Every way of installing gives a working package, with and without a C compiler.

The tree that is built here is this project's own with all but two kernels left out: the same ``setup.py``, the same
``pyproject.toml``, a few seconds a build.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

pytestmark = [pytest.mark.packaging, pytest.mark.slow]

TREE = Path(__file__).resolve().parents[2]
SUFFIX = EXTENSION_SUFFIXES[0]
KERNELS = ("rows", "book")
FILES = [
    *("setup.py", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE"),
    *(f"framework/quotewright/{name}" for name in ("__init__.py", "binaries.py", "errors.py", "py.typed")),
    *(f"framework/quotewright/kernel/{name}.py" for name in ("__init__", "codes", *KERNELS)),
    *(f"framework/quotewright/kernel/{name}.pxd" for name in KERNELS),
    *(
        f"{root}/quotewright_{root}/{name}"
        for root in ("plugins", "simexchange")
        for name in ("__init__.py", "py.typed")
    ),
]
ASK = """
import sys
sys.modules["Cython"] = None
from quotewright import binaries
from quotewright.kernel import book, rows
import quotewright_plugins, quotewright_simexchange
print(binaries.form(), rows.__file__.endswith(".py"), binaries.trouble() or "-", binaries.reason() or "-", sep="|")
"""
COMPILED = "compiled|False|-|-"


def run(*command: object, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a command with a clean environment but for *env*; the caller looks at its exit code."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("QUOTEWRIGHT_", "PYTHON", "COV"))}
    arguments = [str(part) for part in command]
    return subprocess.run(arguments, env=clean | env, capture_output=True, text=True, check=False)


def done(*command: object, **env: str) -> str:
    """Run a command that must succeed; return what it printed."""
    ran = run(*command, **env)
    assert ran.returncode == 0, f"{command}: exit {ran.returncode}\n{ran.stdout[-3000:]}\n{ran.stderr[-3000:]}"
    return ran.stdout


def in_tree(python: Path, tree: Path, *arguments: str) -> list[object]:
    """Return the command that runs the tree's ``setup.py`` there."""
    code = f"import os, runpy, sys; os.chdir({str(tree)!r}); sys.argv = {['setup.py', *arguments]!r}"
    return [python, "-c", f"{code}; runpy.run_path('setup.py', run_name='__main__')"]


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a Python with the build requirements, and nothing else, in an environment of its own."""
    folder = tmp_path_factory.mktemp("tools")
    done(sys.executable, "-m", "venv", "--without-pip", folder / "venv")
    python = folder / "venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    done(sys.executable, "-m", "pip", "--python", python, "install", "-q", "setuptools>=77", "cython>=3.3", "pip")
    return python


def cut_down(into: Path) -> Path:
    """Copy the project without what these tests do not need; return where it is."""
    for name in FILES:
        target = into / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(TREE / name, target)
    return into


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a fresh copy of the project, cut down to two kernels."""
    return cut_down(tmp_path / "tree")


@pytest.fixture(scope="module")
def plain(tools: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the wheel that nothing in particular was done to."""
    folder = tmp_path_factory.mktemp("plain")
    return wheel(tools, cut_down(folder / "tree"), folder / "wheels", QUOTEWRIGHT_BUILD="strict")


@pytest.fixture(scope="module")
def can_compile(tools: Path, plain: Path, tmp_path_factory: pytest.TempPathFactory) -> bool:
    return answer(tools, plain, tmp_path_factory.mktemp("site")) == COMPILED


def wheel(tools: Path, source: Path, into: Path, **env: str) -> Path:
    """Build a wheel of *source* and return where it lies."""
    shutil.rmtree(into, ignore_errors=True)
    done(tools, "-m", "pip", "wheel", "-q", "--no-build-isolation", "--no-deps", "-w", into, source, **env)
    (built,) = into.glob("*.whl")
    return built


def answer(tools: Path, built: Path, into: Path, **env: str) -> str:
    """Unpack a wheel, as installation does, and say which form its kernels have and whether they import."""
    shutil.rmtree(into, ignore_errors=True)
    zipfile.ZipFile(built).extractall(into)
    return done(tools, "-c", ASK, PYTHONPATH=str(into), **env).strip()


def test_a_wheel_holds_sources_headers_binaries_and_one_stamp(plain, can_compile):
    names = set(zipfile.ZipFile(plain).namelist())
    assert {f"quotewright/kernel/{name}{end}" for name in KERNELS for end in (".py", ".pxd")} <= names
    assert "quotewright/py.typed" in names
    assert not [name for name in names if name.startswith(("framework", "tests", "build"))]
    if can_compile:
        assert {f"quotewright/kernel/{name}{SUFFIX}" for name in (*KERNELS, "_shared")} <= names
        assert [name for name in names if name.endswith(".so.json")] == [f"quotewright/compiled{SUFFIX}.json"]
        assert "quotewright/interpreted.txt" not in names


def test_a_wheel_built_from_the_source_distribution_holds_the_same(tools, tree, plain, tmp_path):
    (tree / "framework/quotewright/compiled.other-python.so.json").write_text("{}")
    done(*in_tree(tools, tree, "-q", "sdist"))
    (archive,) = (tree / "dist").glob("*.tar.gz")
    built = wheel(tools, archive, tmp_path / "indirect", QUOTEWRIGHT_BUILD="strict")
    assert set(zipfile.ZipFile(built).namelist()) == set(zipfile.ZipFile(plain).namelist())


def test_an_editable_install_compiles_nothing_and_removes_binaries(tools, tree):
    kernel = tree / "framework/quotewright/kernel"
    (kernel / f"rows{SUFFIX}").write_bytes(b"left by an earlier build")
    (tree / f"framework/quotewright/compiled{SUFFIX}.json").write_text("{}")
    done(tools, "-m", "pip", "install", "-q", "--no-build-isolation", "--no-deps", "-e", tree)
    try:
        form, is_source, trouble, _ = done(tools, "-c", ASK).strip().split("|")
        assert (form, is_source, trouble) == ("interpreted", "True", "-")
        assert not [*tree.rglob(f"framework/**/*{SUFFIX}"), *tree.rglob("framework/**/compiled*")]
    finally:
        done(tools, "-m", "pip", "uninstall", "-q", "-y", "quotewright")


BREAKS = {  #                what is broken                     QUOTEWRIGHT_BUILD  exit code, answer
    "no compiler":          ("CC", "auto", 0, "no C compiler works here"),
    "no compiler, strict":  ("CC", "strict", 0, "no C compiler works here"),
    "no compiler, asked":   ("CC", "compiled", 1, ""),
    "header":               ("header", "auto", 0, "the build failed"),
    "header, strict":       ("header", "strict", 1, ""),
    "nothing, interpreted": ("", "interpreted", 0, "QUOTEWRIGHT_BUILD=interpreted"),
}  # fmt: skip


@pytest.mark.parametrize(("broken", "mode", "code", "why"), BREAKS.values(), ids=BREAKS)
def test_a_build_that_cannot_compile(tools, tree, can_compile, tmp_path, broken, mode, code, why):
    if broken == "header" and not can_compile:
        pytest.skip(reason="no C compiler works here, so that a broken header is never reached")
    if broken == "header":
        (tree / "framework/quotewright/kernel/book.pxd").write_text("cdef class BookModel(:\n")
    env = {"QUOTEWRIGHT_BUILD": mode} | ({"CC": shutil.which("false") or "no-such-compiler"} if broken == "CC" else {})
    into = tmp_path / "wheels"
    ran = run(tools, "-m", "pip", "wheel", "-q", "--no-build-isolation", "--no-deps", "-w", into, tree, **env)
    assert bool(ran.returncode) == bool(code), ran.stdout + ran.stderr
    if not code:
        (built,) = into.glob("*.whl")
        assert not [name for name in zipfile.ZipFile(built).namelist() if name.endswith((".so", ".pyd", ".so.json"))]
        form, is_source, trouble, reason = answer(tools, built, tmp_path / "site").split("|")
        assert (form, is_source, trouble) == ("interpreted", "True", "-")
        assert reason.startswith(why)


def test_binaries_in_place_are_found_forced_refused_when_stale_and_rebuilt(tools, tree, can_compile):
    if not can_compile:
        pytest.skip(reason="no C compiler works here")
    path = os.pathsep.join(str(tree / root) for root in ("framework", "plugins", "simexchange"))
    build = in_tree(tools, tree, "-q", "build_ext", "--inplace")
    ask = (tools, "-c", ASK)
    forced = {"PYTHONPATH": path, "QUOTEWRIGHT_KERNELS": "compiled"}
    assert run(*ask, **forced).returncode == 4
    done(*build)
    assert done(*ask, **forced).strip() == COMPILED
    told = done(*ask, PYTHONPATH=path, QUOTEWRIGHT_KERNELS="interpreted").strip().split("|")
    assert told[:2] == ["interpreted", "True"]

    edited = tree / "framework/quotewright/kernel/rows.py"
    old = edited.stat()
    edited.write_text(edited.read_text() + "\n# edited\n")
    os.utime(edited, (old.st_atime, old.st_mtime - 1000))  # as a copy that keeps old times would be
    assert "quotewright/kernel/rows.py has changed" in run(*ask, **forced).stderr
    done(*build)
    assert done(*ask, **forced).strip() == COMPILED

    (tree / "framework/quotewright/kernel/book.pxd").unlink()
    assert "book.py was compiled but is gone" in run(*ask, **forced).stderr
    done(*build)
    assert not (tree / f"framework/quotewright/kernel/book{SUFFIX}").exists()
