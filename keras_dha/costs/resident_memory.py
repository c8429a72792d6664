"""How much memory this process has."""

import re
import sys
from pathlib import Path

_STATUS = Path("/proc/self/status")


def resident_bytes() -> int:
    """The bytes of main memory that this process holds now; where the system does not tell, the most that it has held.

    Raises:
        RuntimeError: On systems that tell neither.
    """
    known = _from_linux("VmRSS")
    return peak_resident_bytes() if known is None else known


def peak_resident_bytes() -> int:
    """The most bytes of main memory that this process has held.

    Where Linux does not tell, a process inherits the number of the one that started it, unless that is a shell.

    Raises:
        RuntimeError: On systems that do not tell.
    """
    known = _from_linux("VmHWM")
    if known is not None:
        return known
    try:
        import resource
    except ImportError as error:
        raise RuntimeError(
            f"What a process holds can be told on Unix only. Received: {sys.platform}. Give sizes as numbers."
        ) from error
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _from_linux(name: str) -> int | None:
    """A line of the process's status, in bytes; None where there is none."""
    if not _STATUS.is_file():
        return None
    found = re.search(rf"^{name}:\s+(\d+) kB$", _STATUS.read_text(encoding="ascii"), flags=re.MULTILINE)
    return None if found is None else 1024 * int(found[1])
