"""The examples in docstrings: what a reader who types them would see."""

import ast
import doctest
import functools
import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from source_files import PACKAGE, ROOT, name_of, parse, public_names, python_files

import keras_dha


@functools.cache
def at_hand() -> dict[str, Any]:
    """Keras, NumPy, and all public names of the package."""
    public = {name: getattr(importlib.import_module(module), name) for module, name in public_names()}
    return {"keras": keras, "keras_dha": keras_dha, "np": np, **public}


def examples(path: Path) -> Iterator[tuple[str, str]]:
    """The names of classes and functions whose docstrings have examples, and those docstrings."""
    for node in ast.walk(parse(path)):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and ">>>" in (text := ast.get_docstring(node) or ""):
            yield node.name, text


ALL = [(path, *example) for path in python_files("keras_dha") for example in examples(path)]


def outcome(text: str, name: str, path: Path) -> tuple[int, str]:
    """How many examples failed, and how."""
    module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    names = {**at_hand(), name: getattr(module, name, None)}  # of what is not public itself
    test = doctest.DocTestParser().get_doctest(text, names, name, name_of(path), 0)
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
