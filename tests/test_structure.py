"""Files and functions stay small, and tests mirror the package."""

import ast
from pathlib import Path

import pytest
from source_files import PACKAGE, ROOT, name_of, parse, python_files

SOURCES = python_files("keras_dha")
LINES_OF_A_FILE, LINES_OF_A_FUNCTION = 400, 60


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_no_file_is_long(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= LINES_OF_A_FILE, f"{name_of(path)} has {lines} lines. Find the second idea in it, and move that."


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function's body, its docstring left out."""
    first = function.body[1] if ast.get_docstring(function) and len(function.body) > 1 else function.body[0]
    return (function.end_lineno or 0) - first.lineno + 1


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_no_function_is_long(path: Path) -> None:
    for node in ast.walk(parse(path)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            assert body_lines(node) <= LINES_OF_A_FUNCTION, (
                f"{name_of(path)}:{node.lineno}: {node.name} has {body_lines(node)} lines. Split it."
            )


def test_body_lines_leaves_the_docstring_out() -> None:
    function = ast.parse('def f():\n    """Two\n    lines."""\n    x = 1\n    return x').body[0]
    assert isinstance(function, ast.FunctionDef)
    assert body_lines(function) == 2


FOLDERS = [path for path in sorted(PACKAGE.rglob("*")) if path.is_dir() and list(path.glob("*.py"))]


@pytest.mark.parametrize("folder", FOLDERS, ids=name_of)
def test_every_folder_of_the_package_has_its_folder_of_tests(folder: Path) -> None:
    tests = ROOT / "tests" / folder.relative_to(PACKAGE)
    assert list(tests.rglob("test_*.py")), f"{name_of(folder)} has no tests. Put them in {name_of(tests)}/."


@pytest.mark.parametrize("folder", FOLDERS, ids=name_of)
def test_every_folder_of_the_package_is_a_package(folder: Path) -> None:
    assert (folder / "__init__.py").exists(), f"{name_of(folder)} needs an __init__.py with __all__."


def test_names_of_files_say_something() -> None:
    empty = {"utils.py", "helpers.py", "common.py", "base.py", "misc.py"}
    vague = [name_of(path) for path in SOURCES if path.name in empty]
    assert not vague, f"{vague}: name the file after what is in it."
