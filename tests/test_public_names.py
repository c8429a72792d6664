"""Every public name can be imported, is documented, and is known to type checkers."""

import ast
import importlib
import inspect
from typing import Any

import pytest
from source_files import FOLDERS, PACKAGE, listed, parse, public_names

import keras_dha

PUBLIC = [*(("keras_dha", name) for name in keras_dha.__all__), *public_names()]


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_folder_lists_its_public_names(folder: str) -> None:
    assert listed(folder), f"keras_dha/{folder}/__init__.py has no __all__. List what a user may import from it."
    assert len(listed(folder)) == len(set(listed(folder)))


@pytest.mark.parametrize(("module", "name"), PUBLIC)
def test_every_public_name_is_there_and_documented(module: str, name: str) -> None:
    value = getattr(importlib.import_module(module), name)
    if inspect.ismodule(value) or inspect.isclass(value) or inspect.isroutine(value):
        own = value.__dict__.get("__doc__") if inspect.isclass(value) else value.__doc__
        assert own, f"{module}.{name} has no docstring of its own. Say in one line what it is for."


def public_methods(cls: type) -> list[tuple[str, Any]]:
    """Methods that the class itself defines under a public name."""
    return [(name, value) for name, value in vars(cls).items() if inspect.isfunction(value) and name[0] != "_"]


@pytest.mark.parametrize(("module", "name"), PUBLIC)
def test_every_public_signature_is_typed(module: str, name: str) -> None:
    value = getattr(importlib.import_module(module), name)
    routines = public_methods(value) if inspect.isclass(value) else [(name, value)] if inspect.isfunction(value) else []
    for routine_name, routine in routines:
        signature = inspect.signature(routine)
        untyped = [
            parameter.name
            for parameter in signature.parameters.values()
            if parameter.annotation is parameter.empty and parameter.name not in {"self", "cls"}
        ]
        assert not untyped, f"{module}.{name}: {routine_name} has arguments without a type: {untyped}."
        assert signature.return_annotation is not signature.empty, f"{module}.{name}: {routine_name} returns what?"


def test_names_for_type_checkers_are_the_public_names() -> None:
    tree = parse(PACKAGE / "__init__.py")
    block = next(node for node in tree.body if isinstance(node, ast.If))
    typed = {alias.asname for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert typed == {*keras_dha.__all__, *keras_dha._OPTIONAL}
    assert keras_dha.__all__ == sorted(keras_dha.__all__)
    assert set(keras_dha.__all__) <= set(dir(keras_dha))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'SearchModle'"):
        keras_dha.SearchModle  # noqa: B018


def test_every_folder_is_reachable_from_the_package() -> None:
    internal = {"commands"}  # what keras-dha does, for cli.py
    assert set(FOLDERS) - internal <= {*keras_dha.__all__, *keras_dha._OPTIONAL}


def test_a_star_import_needs_no_extra() -> None:
    assert not set(keras_dha._OPTIONAL) & set(keras_dha.__all__)
    assert set(keras_dha._OPTIONAL) <= set(dir(keras_dha))
