"""Build the kernels: every module with a .pxd header becomes a compiled module, or none does."""

import os
import runpy
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ROOTS = ["framework", "simexchange"]
SHARED = "quotewright.kernel._shared"
MODE = os.environ.get("QUOTEWRIGHT_BUILD", "auto")
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

if MODE not in ("auto", "compiled", "interpreted"):
    raise SystemExit(f"QUOTEWRIGHT_BUILD={MODE}: expected auto, compiled or interpreted")


def kernels() -> list[Extension]:
    """Return one extension per .pxd header and the one that holds Cython's own helpers."""
    found = sorted((root, path) for root in ROOTS for path in Path(root).rglob("*.pxd"))
    # Fused multiply-add would make a compiled float differ from an interpreted one.
    flags = [] if os.name == "nt" else ["-O2", "-g0", "-ffp-contract=off"]
    named = {".".join(p.relative_to(root).with_suffix("").parts): str(p.with_suffix(".py")) for root, p in found}
    named[SHARED] = "framework/" + SHARED.replace(".", "/") + ".c"
    headers = [str(path) for _, path in found]
    return [Extension(name, [file], depends=headers, extra_compile_args=flags) for name, file in named.items()]


class BuildKernels(build_ext):
    """Compile all kernels; without a compiler leave all of them interpreted and say so."""

    def initialize_options(self) -> None:
        super().initialize_options()
        self.cython_include_dirs = ROOTS
        self.cython_directives = SAFE
        self.cython_c_in_temp = True
        self.shared_utility_qualified_name = SHARED
        self.parallel = os.cpu_count()

    def run(self) -> None:
        wanted = MODE == "compiled" or (MODE == "auto" and (not self.editable_mode))
        if wanted:
            try:
                super().run()
                self.stamp()
                return
            except BaseException as error:
                if MODE == "compiled" or isinstance(error, KeyboardInterrupt):
                    raise
                print(f"quotewright: kernels stay interpreted: {type(error).__name__}: {error}")
        for extension in self.extensions:
            Path(self.get_ext_fullpath(extension.name)).unlink(missing_ok=True)
        self.stamp_path().unlink(missing_ok=True)
        self.extensions = []

    def stamp_path(self) -> Path:
        suffix = Path(self.get_ext_filename("x")).name.removeprefix("x")
        package = Path(self.get_ext_fullpath("quotewright.x")).parent
        return package / f"compiled{suffix}.json"

    def stamp(self) -> None:
        """Write the digests of the sources that were compiled, so that a stale binary is refused."""
        binaries = runpy.run_path("framework/quotewright/binaries.py")
        files = [path for root in ROOTS for path in Path(root).rglob("*.pxd")]
        self.stamp_path().write_text(binaries["stamp_text"](ROOTS, files), encoding="utf-8")


setup(
    ext_modules=kernels(),
    cmdclass={"build_ext": BuildKernels},
    options={"build": {"build_base": f"build/{MODE}"}},
)
