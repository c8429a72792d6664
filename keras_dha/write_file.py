"""Files appear whole or not at all."""

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any


@contextlib.contextmanager
def removed_on_failure(partial: Path) -> Iterator[None]:
    """What was written of the file or folder `partial` goes away if the rest is not written, also on Ctrl-C."""
    try:
        yield
    except BaseException:
        if partial.is_dir():
            shutil.rmtree(partial, ignore_errors=True)
        else:
            partial.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def whole_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Gives another name to write under, which becomes `path` at the end: no reader, and no crash, meets half a file.

    The other name ends as `path` does, for writers that look at the ending.
    """
    target = Path(path)
    partial = target.with_name("partial." + target.name)
    with removed_on_failure(partial):
        yield partial
        partial.replace(target)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Writes a text file, whole or not at all."""
    with whole_file(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_json(path: str | os.PathLike[str], data: Any) -> None:
    """Writes plain data as JSON, whole or not at all.

    Raises:
        TypeError: If the data is not plain.
    """
    write_text(path, json.dumps(data, indent=2) + "\n")
