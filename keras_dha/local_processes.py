"""What several processes of one host share out: ports, cores, and where a process's output ends."""

import os
import signal
import socket
import sys
from pathlib import Path

_TAIL = 2000  # characters


def free_port() -> int:
    """A port of this host that nobody listens to."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def keep_on_share(process: int, place: int, parts: int) -> None:
    """Keeps a process on its share of the cores, where the system can and there are enough.

    Args:
        process: Its id; soon after it began, for threads that it has already are not moved.
        place: Which share, from 0.
        parts: How many shares there are.
    """
    if sys.platform != "linux":
        return
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) >= parts:
        os.sched_setaffinity(process, cores[place::parts])


def how_it_ended(code: int | None, log: Path) -> str:
    """The exit code of a process, or the signal that ended it, and the end of what it wrote."""
    written = log.read_text(encoding="utf-8", errors="replace")[-_TAIL:]
    how = signal.Signals(-code).name if code is not None and code < 0 else f"exit code {code}"
    return f"{how}, and at the end of {log}: {written!r}"
