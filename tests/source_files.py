"""The project's files, as the tests about the whole see them."""

import ast
import pkgutil
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "keras_dha"
FOLDERS = sorted(info.name for info in pkgutil.iter_modules([str(PACKAGE)]) if info.ispkg)


def name_of(path: Path) -> str:
    """`path` below the root, for messages and test ids."""
    return path.relative_to(ROOT).as_posix()


def python_files(*folders: str) -> list[Path]:
    """Every .py file below the folders of the project, sorted."""
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def parse(path: Path) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def listed(folder: str) -> list[str]:
    """The names in `__all__` of a folder of the package, read without importing it."""
    for node in parse(PACKAGE / folder / "__init__.py").body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return list(ast.literal_eval(node.value))
    return []


def public_names() -> list[tuple[str, str]]:
    """Module and name of all that the folders of the package list."""
    return [(f"keras_dha.{folder}", name) for folder in FOLDERS for name in listed(folder)]


def pyproject() -> dict[str, Any]:
    """The contents of pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def code_blocks(path: Path, language: str) -> list[str]:
    """The fenced blocks of one language in a Markdown file."""
    return re.findall(rf"^```{language}\n(.*?)^```$", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def imports(tree: ast.Module) -> Iterator[tuple[str, bool, int]]:
    """Every module that a file imports: its full name, whether at the top of the file, and the line.

    `from a.b import c` counts as `a.b.c`: whether c is a module or a name, the folder is the same. What stands below
    `if TYPE_CHECKING:` never runs, and counts as not at the top.
    """
    late: set[ast.AST] = set()
    for node in ast.walk(tree):
        checks_types = isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        if checks_types or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            late.update(inner for inner in ast.walk(node) if inner is not node)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node not in late, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((f"{node.module}.{alias.name}", node not in late, node.lineno) for alias in node.names)
