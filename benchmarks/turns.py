"""Processes that take turns: the machine's fast and slow spells hit all of them alike.

A process that waits is stopped, and its clock with it: `time.monotonic()` counts the seconds of its own turns only.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence

import numpy as np

_VARIABLE = "KERAS_DHA_TURNS"
_real_clock = time.monotonic


def run_in_turns(commands: Sequence[Sequence[str]], seconds: float = 5.0) -> None:
    """Runs commands of programs that call `use_own_clock`, one at a time, for so many seconds each.

    Raises:
        RuntimeError: If one of them fails; the others are ended.
    """
    # Ends by way of `finally`, for a process that is left stopped would wait for ever.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.NamedTemporaryFile() as file:
        file.truncate(8 * len(commands))
        waited = np.memmap(file.name, dtype="float64", mode="r+")
        processes, since = [], []
        try:
            for number, command in enumerate(commands):
                environment = {**os.environ, _VARIABLE: f"{file.name}:{number}"}
                processes.append(subprocess.Popen(command, env=environment))
                since.append(_stop(processes[-1]))
            while running := [i for i, process in enumerate(processes) if process.poll() is None]:
                for number in running:
                    waited[number] += _real_clock() - since[number]
                    processes[number].send_signal(signal.SIGCONT)
                    try:
                        processes[number].wait(seconds)
                    except subprocess.TimeoutExpired:
                        since[number] = _stop(processes[number])
                if failed := [commands[i] for i, process in enumerate(processes) if process.poll()]:
                    raise RuntimeError(f"All runs must end well. Received: a failure of {failed}. See its output.")
        finally:
            for process in processes:
                process.kill()  # does nothing to one that has ended
                process.wait()


def _stop(process: subprocess.Popen[bytes]) -> float:
    process.send_signal(signal.SIGSTOP)
    return _real_clock()


def use_own_clock() -> None:
    """Makes `time.monotonic` leave out the seconds in which this process waits for its turn."""
    if _VARIABLE not in os.environ:
        return
    name, number = os.environ[_VARIABLE].rsplit(":", 1)
    waited = np.memmap(name, dtype="float64", mode="r")
    time.monotonic = lambda: _real_clock() - float(waited[int(number)])
