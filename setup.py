"""Build the kernels: every module with a .pxd header becomes a compiled module, or none does."""

import contextlib
import os
import runpy
import tempfile
from collections.abc import Iterator
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ROOTS = ["framework", "simexchange"]
SOURCES = [*ROOTS, "plugins"]
SHARED = "quotewright.kernel._shared"
SAFE = {
    "language_level": 3,
    "annotation_typing": False,
    "boundscheck": True,
    "wraparound": False,
    "nonecheck": True,
    "initializedcheck": True,
    "overflowcheck": True,
    "cdivision": False,
}
MODES = {
    "auto": "compile; whatever fails, the kernels stay interpreted; an editable install compiles nothing",
    "strict": "compile; the kernels stay interpreted only where no C compiler works",
    "compiled": "compile or fail",
    "interpreted": "compile nothing",
}
MODE = os.environ.get("QUOTEWRIGHT_BUILD", "auto")
if MODE not in MODES:
    raise SystemExit(f"QUOTEWRIGHT_BUILD={MODE}: expected one of {', '.join(MODES)}")

binaries = runpy.run_path("framework/quotewright/binaries.py")


def kernels() -> list[Extension]:
    """Return one extension per .pxd header and the one that holds Cython's own helpers."""
    found = sorted((root, path) for root in ROOTS for path in Path(root).rglob("*.pxd"))
    # Fused multiply-add would make a compiled float differ from an interpreted one.
    # QUOTEWRIGHT_OPTIMIZE=0 compiles in half the time, for tests that measure nothing.
    flags = [] if os.name == "nt" else [f"-O{os.environ.get('QUOTEWRIGHT_OPTIMIZE', '2')}", "-g0", "-ffp-contract=off"]
    named = {".".join(p.relative_to(root).with_suffix("").parts): str(p.with_suffix(".py")) for root, p in found}
    named[SHARED] = "framework/" + SHARED.replace(".", "/") + ".c"
    headers = [str(path) for _, path in found]
    return [Extension(name, [file], depends=headers, extra_compile_args=flags) for name, file in named.items()]


class BuildKernels(build_ext):
    """Compile all kernels, or leave all of them interpreted and say why."""

    def initialize_options(self) -> None:
        super().initialize_options()
        self.cython_include_dirs = ROOTS
        self.cython_directives = SAFE
        self.cython_c_in_temp = True
        self.shared_utility_qualified_name = SHARED
        self.parallel = os.cpu_count()

    def run(self) -> None:
        why = "QUOTEWRIGHT_BUILD=interpreted" if MODE == "interpreted" else "this is an editable install"
        asked = self.inplace and not self.editable_mode  # build_ext --inplace says what it wants
        if MODE in ("compiled", "strict") or (MODE == "auto" and not self.editable_mode):
            try:
                self.forget_the_gone()
                self.distrust_timestamps()
                super().run()
                self.stamp()
                return
            # distutils turns some failures of a compiler into SystemExit
            except (Exception, SystemExit) as error:
                works = self.has_compiler()
                if MODE == "compiled" or (asked and MODE == "auto") or (MODE == "strict" and works):
                    raise
                fault = f"{type(error).__name__}: {error}".splitlines()[0]
                why = f"the build failed: {fault}" if works else f"{binaries['NO_COMPILER']}: {fault}"
                print(f"quotewright: kernels stay interpreted: {why}")
        for file in [*self.built(), *self.stamps()]:
            file.unlink(missing_ok=True)
        if not self.inplace:
            note = Path(self.build_lib, "quotewright", binaries["NOTE"])
            note.parent.mkdir(parents=True, exist_ok=True)
            note.write_text(why + "\n", encoding="utf-8")
        self.extensions = []

    def suffix(self) -> str:
        return Path(self.get_ext_filename("x")).name.removeprefix("x")

    def folders(self) -> list[Path]:
        """Return where binaries may stand: in the build folder, and in place beside the sources."""
        return [Path(self.build_lib), *(Path(root) for root in ROOTS if self.inplace)]

    def built(self) -> Iterator[Path]:
        for folder in self.folders():
            yield from folder.rglob(f"*{self.suffix()}")

    def stamps(self) -> list[Path]:
        name = f"compiled{self.suffix()}.json"
        return [folder / "quotewright" / name for folder in self.folders() if folder.name != "simexchange"]

    def forget_the_gone(self) -> None:
        """Remove what earlier builds left of modules that no longer exist; a wheel would hold it."""
        wanted = {Path(*extension.name.split(".")).as_posix() for extension in self.extensions}
        for folder in self.folders():
            for file in folder.rglob(f"*{self.suffix()}"):
                if file.relative_to(folder).as_posix().removesuffix(self.suffix()) not in wanted:
                    file.unlink()
        build = Path(self.build_lib)
        kept = {*self.built(), *self.stamps()}
        for file in [file for file in build.rglob("*") if file.is_file() and file not in kept]:
            if not any(Path(root, file.relative_to(build)).is_file() for root in SOURCES):
                file.unlink()

    def distrust_timestamps(self) -> None:
        """Make every kernel newer than its binary whose source is another than the last build's."""
        stamp = self.stamps()[0]
        last = binaries["read_stamp"](stamp)
        if last.get("recipe") != self.recipe():
            self.force = True
        for root in ROOTS:
            for header in Path(root).rglob("*.pxd"):
                name = header.relative_to(root).with_suffix("").as_posix()
                if last.get("kernels", {}).get(name) != binaries["digest"](header) and stamp.exists():
                    for file in (header, header.with_suffix(".py")):
                        if file.stat().st_mtime <= stamp.stat().st_mtime:
                            file.touch()

    def recipe(self) -> str:
        """Return what binaries depend on beside their sources: this file and Cython's version."""
        from Cython import __version__

        return f"{binaries['digest_of']([Path('setup.py')])} cython {__version__}"

    def stamp(self) -> None:
        """Write the digests of the sources that were compiled, so that a stale binary is refused."""
        headers = [path for root in ROOTS for path in Path(root).rglob("*.pxd")]
        for path in self.stamps():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(binaries["stamp_text"](ROOTS, headers, self.recipe()), encoding="utf-8")

    def has_compiler(self) -> bool:
        """Return whether a module of one line can be compiled and linked here."""
        with tempfile.TemporaryDirectory() as folder, contextlib.suppress(Exception, SystemExit):
            source = Path(folder, "probe.c")
            source.write_text("#include <Python.h>\nint quotewright_probe(void) { return PY_MAJOR_VERSION; }\n")
            objects = self.compiler.compile([str(source)], output_dir=folder)
            self.compiler.link_shared_object(objects, str(Path(folder, f"probe{self.suffix()}")))
            return True
        return False


setup(
    ext_modules=kernels(),
    cmdclass={"build_ext": BuildKernels},
    options={"build": {"build_base": f"build/{MODE}"}},
)
