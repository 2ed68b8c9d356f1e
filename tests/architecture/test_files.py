"""What holds for the text of the project: sizes, places that exist on one machine only, files a wheel would lack."""

from __future__ import annotations

import fnmatch
import re
import tomllib

import pytest

from tests.architecture.tree import ROOTS, TREE, files, modules, package, shown

LONGEST = 600
TEXT = {
    ".py",
    ".pxd",
    ".toml",
    ".ini",
    ".md",
    ".cfg",
    ".json",
    ".in",
    ".txt",
    ".yml",
    ".yaml",
    ".html",
    ".css",
    ".js",
    "",
}
# Written in pieces, or this file would be the first to be found.
FOREIGN = {
    "a home folder": re.compile(r"(?<![\w.])/(?:root|home/\w+|Users/\w+)" + r"/"),
    "a folder of one machine": re.compile(r"(?<![\w.~])/(?:tmp|work|opt|mnt|srv)" + r"/\w"),
    "a package registry": re.compile(
        r"(?:files\.)?python" + r"hosted\.org|pypi" + r"\.org/simple|registry" + r"\.npmjs"
    ),
    "a package mirror": re.compile(r"(?i)(?:arti" + r"factory|dev" + r"pi)\b|--(?:extra-)?index" + r"-url"),
}


@pytest.mark.parametrize("name", ROOTS)
def test_no_module_is_too_long(name):
    long = {
        shown(file): count
        for file in modules(name)
        if (count := file.read_text(encoding="utf-8").count("\n")) > LONGEST
    }
    assert not long, f"longer than {LONGEST} lines, ask whether it is two things: {long}"


def test_no_text_names_a_place_of_one_machine():
    wrong = []
    for file in files():
        if file.suffix not in TEXT or file.stat().st_size > 2_000_000:
            continue
        text = file.read_bytes().decode("utf-8", errors="replace")
        for what, pattern in FOREIGN.items():
            for found in pattern.finditer(text):
                line = text.count("\n", 0, found.start()) + 1
                wrong.append(f"{shown(file)}:{line} {what}: {found.group()}")
    assert not wrong, "\n".join(wrong)


def test_every_data_file_of_a_package_is_in_the_wheel():
    data = tomllib.loads((TREE / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["package-data"][
        "*"
    ]
    left_out = [
        shown(file)
        for file in files()
        if any(package(name) in file.parents for name in ROOTS) and file.suffix not in (".py", ".so", ".pyd", ".c")
        if not any(fnmatch.fnmatch(file.name, pattern) for pattern in data) and not file.name.startswith("compiled")
    ]
    assert not left_out, f"no pattern of package-data in pyproject.toml takes {left_out}"


@pytest.mark.parametrize("name", ROOTS)
def test_every_folder_with_modules_is_a_package(name):
    wrong = sorted({shown(file.parent) for file in modules(name) if not (file.parent / "__init__.py").exists()})
    assert not wrong, f"no __init__.py, so a wheel may lack them: {wrong}"


def test_the_packages_are_typed():
    assert all((package(name) / "py.typed").exists() for name in ROOTS)
