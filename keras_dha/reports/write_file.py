"""Files appear whole or not at all."""

import json
import os
from pathlib import Path
from typing import Any


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Writes a text file under another name, then renames it: a reader, or a crash, never meets half of it."""
    target = Path(path)
    partial = target.with_name(target.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(target)


def write_json(path: str | os.PathLike[str], data: Any) -> None:
    """Writes plain data as JSON, whole or not at all.

    Raises:
        TypeError: If the data is not plain.
    """
    write_text(path, json.dumps(data, indent=2) + "\n")
