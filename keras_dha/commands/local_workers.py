"""A program in several processes of this machine, as the workers of one strategy."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from keras_dha.commands.errors import CommandError
from keras_dha.commands.team import CLUSTER, LAUNCHER
from keras_dha.local_processes import free_port, how_it_ended, keep_on_share

_LOOK = 0.2  # seconds between two looks at the processes
_PATIENCE = 20.0  # seconds that workers have to end after Ctrl-C
_MAX_RESTARTS = 10


def run_workers(program: Sequence[str], count: int) -> str:
    """Runs a program in several workers. If one is killed, all begin again from what the first one has kept.

    The first worker writes to where this process does, the others to files that an error shows.

    Args:
        program: Its words; it knows `--resume`, and is given it when it begins again.
        count: How many workers; each has its share of the cores.

    Returns:
        What to tell the user, after what the first worker said.

    Raises:
        CommandError: If a worker ends with an error, or workers are killed again and again.
    """
    words = list(program)
    with tempfile.TemporaryDirectory() as logs:
        for restarts in range(_MAX_RESTARTS + 1):
            again = ["--resume"] if restarts and "--resume" not in words else []
            ended = _run_once([*words, *again], count, Path(logs))
            if ended is None:
                return f"{count} workers, started again {restarts} times." if restarts else f"{count} workers."
            number, code = ended
            told = f"exit code {code}; what it says stands above"
            how = how_it_ended(code, Path(logs) / str(number)) if number else told
            if code > 0:
                break
            if restarts < _MAX_RESTARTS:
                print(f"keras-dha: worker {number} ended; all begin again from the last epoch", file=sys.stderr)
        raise CommandError(
            f"All workers must end well. Received: worker {number} ended with {how}. Mend that; what is kept goes on "
            "with --resume."
        )


def _run_once(words: list[str], count: int, logs: Path) -> tuple[int, int] | None:
    """Number and exit code of the worker that ended badly; None if the first one, which waits for all, ended well."""
    with _workers(words, count, logs) as processes:
        while True:
            codes = [process.poll() for process in processes]
            if codes[0] == 0:
                return None
            bad = [(number, code) for number, code in enumerate(codes) if code not in (None, 0)]
            if bad:
                # One that dies takes others along, which end with an error that is not theirs: a signal goes first.
                return min(bad, key=lambda one: one[1])
            time.sleep(_LOOK)


@contextlib.contextmanager
def _workers(words: list[str], count: int, logs: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    addresses = [f"127.0.0.1:{free_port()}" for _ in range(count)]
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for index in range(count):
            cluster = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
            environment = {**os.environ, CLUSTER: json.dumps(cluster), LAUNCHER: str(os.getpid())}
            with (logs / str(index)).open("wb") as log:
                out, errors = (log, subprocess.STDOUT) if index else (None, None)
                # In sessions of their own: Ctrl-C at the terminal would reach them by itself, and once more from here.
                processes.append(
                    subprocess.Popen(words, env=environment, stdout=out, stderr=errors, start_new_session=True)
                )
            keep_on_share(processes[-1].pid, index, count)
        yield processes
    except KeyboardInterrupt:
        _interrupt(processes)
        raise
    finally:  # one that waits for a worker that is gone would wait for ever
        for process in processes:
            process.kill()
            process.wait()


def _interrupt(processes: list[subprocess.Popen[bytes]]) -> None:
    """Passes Ctrl-C on, and waits for those that still have something to say."""
    for process in processes:
        process.send_signal(signal.SIGINT)  # does nothing to one that has ended
    until = time.monotonic() + _PATIENCE
    for process in processes:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(max(until - time.monotonic(), 0.0))
