"""Every ValueError and TypeError says what must hold, what was received, and what to do."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from source_files import name_of, parse, python_files


def raised(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        called = node.exc if isinstance(node, ast.Raise) else None
        if isinstance(called, ast.Call) and ast.unparse(called.func) in {"ValueError", "TypeError"}:
            yield node


def text_of(node: ast.AST) -> str:
    """All literal text below a node, in order."""
    return "".join(
        part.value for part in ast.walk(node) if isinstance(part, ast.Constant) and isinstance(part.value, str)
    )


def complaints(tree: ast.AST) -> list[str]:
    """What is wrong with the errors of a file."""
    return [
        f"line {error.lineno}: {ast.unparse(error.exc)[:80]}"
        for error in raised(tree)
        if "Received: " not in text_of(error.exc)
    ]


@pytest.mark.parametrize("path", python_files("keras_dha"), ids=name_of)
def test_every_error_says_what_it_received(path: Path) -> None:
    assert not complaints(parse(path)), (
        f"{name_of(path)}: {complaints(parse(path))}. Write '<what must hold>. Received: name=value. <What to do now.>'"
    )


@pytest.mark.parametrize("path", python_files("keras_dha"), ids=name_of)
def test_no_assert_and_no_bare_except(path: Path) -> None:
    for node in ast.walk(parse(path)):
        assert not isinstance(node, ast.Assert), f"{name_of(path)}:{node.lineno}: raise a ValueError instead of assert."
        bare = isinstance(node, ast.ExceptHandler) and node.type is None
        assert not bare, f"{name_of(path)}:{node.lineno}: name the errors that are expected."


@pytest.mark.parametrize(
    ("source", "number"),
    [
        ("raise ValueError('bad')", 1),
        ("raise TypeError(message)", 1),
        ("raise ValueError(f'x must be 1. Received: x={x}. Give 1.') from error", 0),
        ("raise ValueError('x must be 1. ' f'Received: x={x}. ' 'Give 1.')", 0),
        ("raise KeyError('bad')", 0),
        ("raise", 0),
    ],
)
def test_the_check_itself(source: str, number: int) -> None:
    assert len(complaints(ast.parse(source))) == number
