"""A NumPy archive of plain arrays, read whole or not at all."""

import os
import zipfile
import zlib
from pathlib import Path
from typing import IO

import numpy as np

_OF_ZIP = (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError)  # RuntimeError: it is encrypted
UNREADABLE = (OSError, EOFError, ValueError, KeyError, MemoryError, *_OF_ZIP)
"""What reading a zip archive raises that is missing, cut off, damaged, too large, or holds Python objects."""


def read_npz(path: Path) -> dict[str, np.ndarray] | None:
    """The arrays of a `.npz` file by name; None if it is a `.npy` file, of one array without a name."""
    with path.open("rb") as stream:  # np.load leaves a file open that it opened and could not read
        _check_size(stream)
        loaded = np.load(stream, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return None
        found = {name: loaded[name] for name in loaded.files}  # bytes, of a member that is no array
    others = [name for name, value in found.items() if not isinstance(value, np.ndarray)]
    if others:
        raise ValueError(f"A .npz file must hold arrays only. Received: {path}, with {others[:3]}. Take those out.")
    return found


def _check_size(stream: IO[bytes]) -> None:
    """Refuses an archive that unpacked is larger than the machine's memory: a few kilobytes can hold terabytes."""
    if not zipfile.is_zipfile(stream):
        stream.seek(0)
        return
    with zipfile.ZipFile(stream) as archive:
        unpacked = sum(member.file_size for member in archive.infolist())
    stream.seek(0)
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else unpacked
    if unpacked > memory:
        raise ValueError(
            f"The arrays of a .npz file must fit into memory. Received: {unpacked} bytes, of {memory}. "
            "Take a part of the data."
        )
