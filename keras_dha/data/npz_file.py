"""A NumPy archive of plain arrays, read whole or not at all."""

import zipfile
import zlib
from pathlib import Path

import numpy as np

UNREADABLE = (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error)
"""What `read_npz` raises on a file that is missing, cut off, damaged, or holds Python objects."""


def read_npz(path: Path) -> dict[str, np.ndarray] | None:
    """The arrays of a `.npz` file by name; None if it is a `.npy` file, of one array without a name."""
    with path.open("rb") as stream:  # np.load leaves a file open that it opened and could not read
        loaded = np.load(stream, allow_pickle=False)
        return None if isinstance(loaded, np.ndarray) else {name: loaded[name] for name in loaded.files}
