"""Processes that have a core each: what they do does not depend on what runs beside them, nor does their clock."""

import os
import queue
import subprocess
import threading
import time
from collections.abc import Sequence

_VARIABLE = "KERAS_DHA_CORE"
_ONE_THREAD = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}


def run_on_cores(commands: Sequence[Sequence[str]], cores: Sequence[int]) -> None:
    """Runs commands of programs that call `use_one_core`, as many at a time as cores are given, with a thread each.

    Raises:
        RuntimeError: If some of them fail, after all have run.
    """
    waiting: queue.SimpleQueue[Sequence[str]] = queue.SimpleQueue()
    for command in commands:
        waiting.put(command)
    failed: list[Sequence[str]] = []

    def work(core: int) -> None:
        while True:
            try:
                command = waiting.get_nowait()
            except queue.Empty:
                return
            environment = {**os.environ, **_ONE_THREAD, _VARIABLE: str(core)}
            if subprocess.run(command, env=environment, check=False).returncode:
                failed.append(command)

    threads = [threading.Thread(target=work, args=(core,)) for core in cores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise RuntimeError(f"All runs must end well. Received: a failure of {failed}. See their output.")


def use_one_core() -> None:
    """Keeps this process on the core that it was given, if any, and has `time.monotonic` count its processor time."""
    if _VARIABLE not in os.environ:
        return
    os.sched_setaffinity(0, {int(os.environ[_VARIABLE])})
    time.monotonic = time.process_time
