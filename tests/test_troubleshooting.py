"""The messages that docs/troubleshooting.md explains are those of the code."""

import ast
import re

import pytest
from source_files import ROOT, parse, python_files

PAGE = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")


def texts() -> str:
    """All strings of the package, formatted ones without their values."""
    found = []
    for path in python_files("keras_dha"):
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.JoinedStr):
                parts = [part.value if isinstance(part, ast.Constant) else "\0" for part in node.values]
                found.append("".join(map(str, parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return "\n".join(found)


def quoted() -> list[str]:
    """What stands in code font in the first column, where it is a message: more than two words."""
    firsts = re.findall(r"^\| (.*?) \|", PAGE, flags=re.MULTILINE)
    found = [text for first in firsts for text in re.findall(r"`([^`]+)`", first)]
    return [part.strip() for text in found for part in text.split("...") if len(part.split()) > 2]


@pytest.fixture(scope="module")
def source() -> str:
    return texts()


def test_the_page_quotes_messages() -> None:
    assert len(quoted()) > 25


@pytest.mark.parametrize("message", quoted())
def test_every_quoted_message_is_in_the_code(source: str, message: str) -> None:
    assert message in source, f"docs/troubleshooting.md quotes {message!r}, which no message says. Correct the page."


def test_every_page_that_it_names_is_there() -> None:
    for name in re.findall(r"\]\(([\w.]+\.md)\)", PAGE):
        assert (ROOT / "docs" / name).exists()
