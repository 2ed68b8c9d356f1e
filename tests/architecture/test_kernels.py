"""What a compiler would not say about kernels: a forgotten type is slow, a forgotten name is silently 0."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.architecture.tree import headers, parsed, shown

FUNCTION = re.compile(
    r"^([ \t]*)(?:@cython\.locals\(([^)]*)\)\s*)?cp?def (?!class )[^(\n=]*?(\w+)\(([^)]*)\)", re.MULTILINE
)
CLASS = re.compile(r"^cdef class (\w+)", re.MULTILINE)
CONSTANTS = re.compile(
    r"^cdef (?!class )(?:const )?(?:long long|int|double|object|str|bint|tuple|list|dict) ([\w, ]+)$", re.MULTILINE
)
SCOPES = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.Lambda)


def typed_functions(header: str) -> dict[tuple[str, str], set[str]]:
    """Return the typed locals of every function of a header: (class or nothing, name) → names."""
    classes = [(found.start(), found.group(1)) for found in CLASS.finditer(header)]
    typed = {}
    for found in FUNCTION.finditer(header):
        indent, variables, name, _ = found.groups()
        owner = next((title for at, title in reversed(classes) if at < found.start()), "") if indent else ""
        typed[owner, name] = set(re.findall(r"(\w+)\s*=", variables or ""))
    return typed


def functions(module: ast.Module) -> dict[tuple[str, str], ast.FunctionDef]:
    """Return the functions and methods of a module: (class or nothing, name) → definition."""
    found = {("", node.name): node for node in module.body if isinstance(node, ast.FunctionDef)}
    for owner in module.body:
        if isinstance(owner, ast.ClassDef):
            found |= {(owner.name, node.name): node for node in owner.body if isinstance(node, ast.FunctionDef)}
    return found


def stored(node: ast.AST) -> set[str]:
    """Return the local names a function stores; those of comprehensions are not its own."""
    names = set()
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store):
            names.add(child.id)
        if isinstance(child, SCOPES):
            continue
        names |= stored(child)
    return names


@pytest.mark.parametrize("header", headers(), ids=shown)
def test_every_local_of_a_typed_function_has_a_c_type(header: Path):
    defined = functions(parsed(header.with_suffix(".py")))
    wrong = []
    for (owner, name), typed in typed_functions(header.read_text(encoding="utf-8")).items():
        function = defined.get((owner, name))
        if function is None:
            wrong.append(f"{owner}.{name} is typed but not defined")
            continue
        arguments = {argument.arg for argument in ast.walk(function.args) if isinstance(argument, ast.arg)}
        locals_ = stored(function) - arguments
        if locals_ != typed:
            missing, extra = sorted(locals_ - typed), sorted(typed - locals_)
            wrong.append(f"{owner}.{name}: without a type {missing}, typed but never stored {extra}")
    assert not wrong, f"{shown(header)}:\n" + "\n".join(wrong)


@pytest.mark.parametrize("header", headers(), ids=shown)
def test_every_constant_of_a_header_is_bound_by_its_module(header: Path):
    """A C variable that the module neither imports nor assigns is 0 in the compiled form."""
    bound = set()
    for node in parsed(header.with_suffix(".py")).body:
        if isinstance(node, ast.ImportFrom | ast.Import):
            bound |= {alias.asname or alias.name for alias in node.names}
        bound |= {each.id for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)}
    text = header.read_text(encoding="utf-8")
    declared = {name.strip() for names in CONSTANTS.findall(text) for name in names.split(",")}
    assert declared <= bound, f"{shown(header)} declares what its module never sets: {sorted(declared - bound)}"


@pytest.mark.parametrize("header", headers(), ids=shown)
def test_every_header_has_its_module_beside_it(header: Path):
    assert header.with_suffix(".py").exists()
    assert header.stem != "__init__"


@pytest.mark.parametrize("header", headers(), ids=shown)
def test_classes_of_a_header_take_no_decorators_and_set_declared_attributes_only(header: Path):
    """The compiled class has no ``__dict__``: an attribute the header forgot raises, in that form only."""
    text = header.read_text(encoding="utf-8")
    compiled = set(CLASS.findall(text))
    declared = set(re.findall(r"\w+", text))
    wrong = []
    for node in parsed(header.with_suffix(".py")).body:
        if not isinstance(node, ast.ClassDef) or node.name not in compiled:
            continue
        wrong += [f"{node.name} is decorated"] * bool(node.decorator_list)
        if len(node.bases) > 1:
            wrong.append(f"{node.name} has several bases")
        inherits = bool(node.bases)
        for each in ast.walk(node):
            is_own = isinstance(each, ast.Attribute) and isinstance(each.value, ast.Name) and each.value.id == "self"
            if is_own and isinstance(each.ctx, ast.Store) and each.attr not in declared and not inherits:
                wrong.append(f"{node.name}.{each.attr}")
    assert not wrong, f"{shown(header)}: {sorted(set(wrong))}"
