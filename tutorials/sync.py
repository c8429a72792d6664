"""Writes the notebook beside each tutorial; with --check, only says whether it is up to date.

The .py file is the source: edit it, run this, and commit both.
"""

import sys
from pathlib import Path

import jupytext
import nbformat


def notebook(source: Path) -> str:
    """The notebook of a tutorial, the same text each time."""
    made = jupytext.read(source)
    for number, cell in enumerate(made.cells):
        cell["id"] = f"cell-{number}"
    made.metadata = {
        "jupytext": {"formats": "ipynb,py:percent"},
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return nbformat.writes(nbformat.from_dict({**made, "nbformat": 4, "nbformat_minor": 5})) + "\n"


def main(arguments: list[str]) -> int:
    """Writes or checks every notebook; the exit code is the number of stale ones."""
    stale = 0
    for source in sorted(Path(__file__).parent.glob("[0-9]*.py")):
        target = source.with_suffix(".ipynb")
        if target.exists() and target.read_text(encoding="utf-8") == notebook(source):
            continue
        if "--check" in arguments:
            print(f"{target.name} is not what {source.name} says. Run: python tutorials/sync.py")
            stale += 1
        else:
            target.write_text(notebook(source), encoding="utf-8")
            print(f"wrote {target.name}")
    return stale


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
