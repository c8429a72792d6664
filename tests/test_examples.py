"""The examples in docstrings: what a reader who types them would see."""

import ast
import doctest
import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from source_files import PACKAGE, ROOT, name_of, parse, python_files

import keras_dha


def module_of(path: Path) -> Any:
    return importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"))


def at_hand(path: Path) -> dict[str, Any]:
    """Keras, NumPy, all public names of the package, and those of the file itself."""
    packages = [module_of(found) for found in sorted(PACKAGE.glob("*/__init__.py"))]
    public = {name: getattr(package, name) for package in packages for name in getattr(package, "__all__", ())}
    return {"keras": keras, "keras_dha": keras_dha, "np": np, **public, **vars(module_of(path))}


def examples(path: Path) -> Iterator[tuple[str, str]]:
    """The names of classes and functions whose docstrings have examples, and those docstrings."""
    for node in ast.walk(parse(path)):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and ">>>" in (text := ast.get_docstring(node) or ""):
            yield node.name, text


ALL = [(path, *example) for path in python_files("keras_dha") for example in examples(path)]


def outcome(text: str, name: str, path: Path) -> tuple[int, str]:
    """How many examples failed, and how."""
    test = doctest.DocTestParser().get_doctest(text, at_hand(path), name, name_of(path), 0)
    told: list[str] = []
    failed = doctest.DocTestRunner(verbose=False).run(test, out=told.append).failed
    return failed, "".join(told)


@pytest.mark.parametrize(("path", "name", "text"), ALL, ids=[f"{path.stem}-{name}" for path, name, _ in ALL])
def test_an_example_shows_what_it_says(path: Path, name: str, text: str) -> None:
    failed, told = outcome(text, name, path)
    assert not failed, told


def test_a_wrong_example_is_found() -> None:
    assert outcome(">>> 1 + 1\n3", "sum", PACKAGE / "cli.py")[0] == 1
    assert len(ALL) > 50
