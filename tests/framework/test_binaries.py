"""Which form of the kernels is found, forced and refused, in each layout the packages can have."""

from __future__ import annotations

import importlib
import importlib.util
import os
import subprocess
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from types import ModuleType

import pytest

from quotewright import binaries

SUFFIX = EXTENSION_SUFFIXES[0]
SOURCE = Path(binaries.__file__)
LAYOUTS = {  #    where quotewright stands, where quotewright_simexchange stands
    "installed": ("site-packages", "site-packages"),
    "in tree": ("framework", "simexchange"),
}


def lay_out(folder: Path, layout: str) -> tuple[Path, Path]:
    """Write two packages with one kernel each; return the folders that go on the path."""
    first, second = (folder / name for name in LAYOUTS[layout])
    for root, package, kernel in (
        (first, "quotewright", "kernel/rows"),
        (second, "quotewright_simexchange", "matching/core"),
    ):
        home = root / package / Path(kernel).parent
        home.mkdir(parents=True)
        for init in (root / package / "__init__.py", home / "__init__.py"):
            init.write_text("")
        (root / package / f"{kernel}.py").write_text("NUMBER = 1\n")
        (root / package / f"{kernel}.pxd").write_text("cdef long long NUMBER\n")
    (first / "quotewright/binaries.py").write_bytes(SOURCE.read_bytes())
    (first / "quotewright/__init__.py").write_text("from quotewright import binaries\nbinaries.install()\n")
    return first, second


def pretend_compiled(first: Path, second: Path, suffix: str = SUFFIX) -> None:
    """Put files where binaries would be, and the stamp that a build writes."""
    headers = [*first.rglob("*.pxd")] if first == second else [*first.rglob("*.pxd"), *second.rglob("*.pxd")]
    for header in headers:
        header.with_name(header.stem + suffix).write_bytes(b"")
    text = binaries.stamp_text([str(first), str(second)], headers)
    (first / f"quotewright/compiled{suffix}.json").write_text(text)


def load(first: Path) -> ModuleType:
    """Return the layout's own copy of the module, without importing its package."""
    spec = importlib.util.spec_from_file_location("binaries_of_a_layout", first / "quotewright/binaries.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def start(first: Path, second: Path, code: str, **env: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(dict.fromkeys((str(first), str(second))))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("QUOTEWRIGHT_", "PYTHONPATH"))}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=kept | {"PYTHONPATH": path} | env, capture_output=True, text=True, check=False)


@pytest.fixture(params=LAYOUTS)
def layout(request, tmp_path, monkeypatch):
    monkeypatch.delenv(binaries.VARIABLE, raising=False)
    return lay_out(tmp_path, request.param)


def test_sources_alone_are_interpreted_and_no_trouble(layout):
    found = load(layout[0])
    assert (found.form(), found.trouble()) == ("interpreted", "")
    assert found.reason()


def test_fresh_binaries_are_compiled_and_no_trouble(layout):
    pretend_compiled(*layout)
    found = load(layout[0])
    assert (found.form(), found.trouble(), found.reason()) == ("compiled", "", "")


def test_binaries_of_another_python_count_for_nothing(layout):
    pretend_compiled(*layout, suffix=".cpython-399-of-a-later-day.so")
    found = load(layout[0])
    assert (found.form(), found.trouble()) == ("interpreted", "")


SPOILED = {  #         file, what is done to it, what is said
    "kernel edited": ("quotewright/kernel/rows.py", "edit", "quotewright/kernel/rows.py has changed"),
    "header edited": ("quotewright/kernel/rows.pxd", "edit", "quotewright/kernel/rows.py has changed"),
    "other package": ("quotewright_simexchange/matching/core.py", "edit", "matching/core.py has changed"),
    "binary missing": (f"quotewright/kernel/rows{SUFFIX}", "remove", "quotewright/kernel/rows.py is a kernel that is"),
    "source gone": ("quotewright/kernel/rows.pxd", "remove", "quotewright/kernel/rows.py was compiled but is gone"),
    "no stamp": (f"quotewright/compiled{SUFFIX}.json", "remove", "no readable compiled"),
    "torn stamp": (f"quotewright/compiled{SUFFIX}.json", "edit", "no readable compiled"),
}


@pytest.mark.parametrize(("name", "deed", "said"), SPOILED.values(), ids=SPOILED)
def test_binaries_that_do_not_fit_are_named(layout, name, deed, said):
    pretend_compiled(*layout)
    (file,) = {root / name for root in layout if (root / name).exists()}
    if deed == "edit":
        file.write_bytes(file.read_bytes() + b"# edited\n")
    else:
        file.unlink()
    assert said in load(layout[0]).trouble()
    assert load(layout[0]).trouble().count("run python setup.py") + load(layout[0]).trouble().count("install") == 1
    refused = start(*layout, "import quotewright", QUOTEWRIGHT_KERNELS="compiled")
    assert refused.returncode == 4
    assert said in refused.stderr


def test_line_ends_do_not_make_a_kernel_stale(layout):
    pretend_compiled(*layout)
    kernel = layout[0] / "quotewright/kernel/rows.py"
    kernel.write_bytes(kernel.read_bytes().replace(b"\n", b"\r\n"))
    assert load(layout[0]).trouble() == ""


def test_interpreted_is_obeyed_beside_binaries(layout):
    pretend_compiled(*layout)  # files that cannot be loaded: importing one would raise
    code = "import quotewright, quotewright.kernel.rows as k; print(k.NUMBER, quotewright.binaries.form())"
    ran = start(*layout, code, QUOTEWRIGHT_KERNELS="interpreted")
    assert (ran.stdout.strip(), ran.stderr) == ("1 interpreted", "")


def test_compiled_without_binaries_exits_4(layout):
    ran = start(*layout, "import quotewright", QUOTEWRIGHT_KERNELS="compiled")
    assert ran.returncode == 4
    assert "no compiled kernels are here" in ran.stderr


def test_an_unknown_form_exits_4(layout):
    ran = start(*layout, "import quotewright", QUOTEWRIGHT_KERNELS="quick")
    assert (ran.returncode, ran.stdout) == (4, "")
    assert "QUOTEWRIGHT_KERNELS=quick: expected compiled or interpreted" in ran.stderr


def test_a_builds_reason_is_told(layout):
    (layout[0] / "quotewright/interpreted.txt").write_text("no C compiler works here: CompileError\n")
    assert load(layout[0]).reason() == "no C compiler works here: CompileError"


def test_every_kernel_of_this_run_has_the_form_that_is_reported():
    for name in binaries.headers():
        module = importlib.import_module(name.replace("/", "."))
        assert module.__file__
        form = "interpreted" if module.__file__.endswith(".py") else "compiled"
        assert form == binaries.form(), name
