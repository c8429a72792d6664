"""The files around the package say what is true: BUILD, pyproject.toml, README, notebooks, CI."""

import fnmatch
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest
from source_files import PACKAGE, ROOT, code_blocks, name_of, pyproject, python_files

import keras_dha

FOLDERS = ("keras_dha", "tests", "tutorials", "benchmarks", ".ci")


def build_patterns() -> list[str]:
    """Every string in BUILD that may name .py files."""
    return re.findall(r'"([^"]+\.py)"', (ROOT / "BUILD").read_text(encoding="utf-8"))


def covers(pattern: str, path: str) -> bool:
    """Whether a pattern of Bazel's glob matches: ** stands for any number of folders, * for part of a name."""
    expression = re.escape(pattern).replace(r"\*\*/", "(?:.*/)?").replace(r"\*", "[^/]*")
    return re.fullmatch(expression, path) is not None


@pytest.mark.parametrize("path", [*python_files(*FOLDERS), *sorted(ROOT.glob("*.py"))], ids=name_of)
def test_build_covers_every_python_file(path: Path) -> None:
    assert any(covers(pattern, name_of(path)) for pattern in build_patterns()), (
        f"No pattern in BUILD covers {name_of(path)}. Put the file into a folder that BUILD knows, or add a glob."
    )


def test_build_names_no_module_by_itself() -> None:
    by_name = [pattern for pattern in build_patterns() if "*" not in pattern]
    assert set(by_name) == {"setup.py", ".ci/bazel/run_pytest.py"}, "A new method must not edit BUILD: use the globs."


@pytest.mark.parametrize(
    ("pattern", "path", "covered"),
    [
        ("a/**/*.py", "a/x.py", True),
        ("a/**/*.py", "a/b/c/x.py", True),
        ("a/**/test_*.py", "a/b/x.py", False),
        ("a/**/*.py", "b/x.py", False),
        ("a/*.py", "a/b/x.py", False),
    ],
)
def test_covers_reads_globs_as_bazel_does(pattern: str, path: str, covered: bool) -> None:
    assert covers(pattern, path) == covered


def test_no_folder_has_a_build_file_of_its_own() -> None:
    inner = [
        name_of(path) for folder in ("keras_dha", "tests", "tutorials") for path in (ROOT / folder).rglob("BUILD*")
    ]
    assert not inner, f"{inner} would hide its folder from the globs in BUILD."


def test_every_other_file_of_the_package_is_installed() -> None:
    patterns = pyproject()["tool"]["setuptools"]["package-data"]["keras_dha"]
    for path in PACKAGE.rglob("*"):
        if path.is_file() and path.suffix not in {".py", ".pyc"}:
            below = path.relative_to(PACKAGE).as_posix()
            assert any(fnmatch.fnmatch(below, pattern) or covers(pattern, below) for pattern in patterns), (
                f"{name_of(path)} would not be installed. Add it to package-data in pyproject.toml."
            )
    assert (PACKAGE / "py.typed").exists()


def test_every_dependency_says_which_file_needs_it() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for line in re.findall(r'^    "[a-z][\w.-]*(?:\[\w+\])?[><=!][^"]*",?.*$', text, flags=re.MULTILINE):
        assert "  # " in line, f"pyproject.toml: {line.strip()} needs a comment with the file that needs it."
        assert "<" not in line, f"pyproject.toml: {line.strip()}. Say in a test here why an upper bound is needed."


def test_the_extra_all_has_everything_but_the_tests() -> None:
    extras = pyproject()["project"]["optional-dependencies"]
    (everything,) = extras["all"]
    assert set(everything.removeprefix("keras-dha[").removesuffix("]").split(",")) == set(extras) - {"all", "test"}


def test_the_version_is_written_once_and_follows_semver() -> None:
    assert pyproject()["project"]["dynamic"] == ["version"]
    assert re.fullmatch(r"\d+\.\d+\.\d+(?:\.dev0)?", keras_dha.__version__)


def test_the_command_is_the_function_that_python_m_runs() -> None:
    module, function = pyproject()["project"]["scripts"]["keras-dha"].split(":")
    assert callable(getattr(importlib.import_module(module), function))
    assert importlib.util.find_spec("keras_dha.__main__") is not None


def test_readme_opens_with_the_two_commands_and_ci_runs_the_second() -> None:
    search, test = code_blocks(ROOT / "README.md", "bash")[0].splitlines()
    assert "pip install '.[all]'" in search
    assert search.endswith("keras-dha search --data digits --out runs/digits")
    assert "pip install '.[test]'" in test
    assert "python -m pytest -n auto" in test
    printed = subprocess.run([ROOT / ".ci" / "readme-command", "test"], capture_output=True, text=True, check=True)
    assert printed.stdout == f"{test}\n"


@pytest.mark.parametrize("path", sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]), ids=name_of)
def test_every_link_to_a_file_leads_somewhere(path: Path) -> None:
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", path.read_text(encoding="utf-8"))
    missing = [link for link in links if not (path.parent / link).exists()]
    assert not missing, f"{name_of(path)} links to {missing}, which is not there."


def test_contributing_is_short() -> None:
    assert len((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").splitlines()) <= 60


def test_notebooks_are_what_the_tutorials_say() -> None:
    pytest.importorskip("jupytext")
    done = subprocess.run(
        [sys.executable, ROOT / "tutorials" / "sync.py", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert list((ROOT / "tutorials").glob("[0-9]*.ipynb"))


def test_the_space_in_readme_is_a_space_of_three_choices() -> None:
    block = next(block for block in code_blocks(ROOT / "README.md", "python") if "class TinySpace" in block)
    names: dict[str, type[keras_dha.SearchSpace]] = {}
    exec(block, names)
    choices = names["TinySpace"]((4, 4, 1), num_classes=2).choices()
    assert [(choice.name, len(choice.options)) for choice in choices] == [(f"stage_{i}", 3) for i in range(3)]
