"""KerasTuner's chief and workers as processes of one host, which are replaced when they die."""

import os
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

from keras_dha.local_processes import free_port, how_it_ended, keep_on_share

CHIEF = "chief"
_LOOK = 0.2  # seconds between two looks at the processes
_PATIENCE = 5.0  # seconds that a process has to end when it is told to


class Workers:
    """Runs a program of KerasTuner as one chief, which asks the oracle, and workers, which run trials.

    The program makes a tuner, with `overwrite=False` and the same folder and name in all processes, and calls its
    `search`; KerasTuner tells by its environment which of them it is in. A process that dies is started again. It has
    the same name, and so a worker gets the trial that it was running, with the same values; a chief reads the state
    that it wrote after each trial. Nothing is lost, and nothing counts twice.

    Workers have a GPU each, if `CUDA_VISIBLE_DEVICES`, or `devices`, names as many; and otherwise share out the cores.

    Args:
        command: The program and its arguments, such as `[sys.executable, "my_search.py"]`.
        num_workers: How many, from 1.
        logs: A folder for the output of each process, `worker0.log` and so on.
        devices: What `CUDA_VISIBLE_DEVICES` is in each worker, such as `["0", "1"]`. Default: those named in the
            environment, in turn.
        max_deaths: How often a process may die before it is taken to be broken. Default: 10.

    Raises:
        ValueError: If there is no worker, or no device for one.
        RuntimeError: In `run`, if a process dies too often; says what it last wrote.

    Example:

    ```python
    with Workers([sys.executable, "my_search.py"], num_workers=2, logs="logs") as workers:
        workers.run()
    ```
    """

    def __init__(
        self,
        command: Sequence[str],
        num_workers: int = 2,
        *,
        logs: str | os.PathLike[str],
        devices: Sequence[str] | None = None,
        max_deaths: int = 10,
    ) -> None:
        if num_workers < 1:
            raise ValueError(f"num_workers must be at least 1. Received: num_workers={num_workers}. Give 2.")
        if devices is not None and not devices:
            raise ValueError(f"devices must name at least one. Received: devices={devices}. Give None for the cores.")
        named = os.environ.get("CUDA_VISIBLE_DEVICES", "")
        self.devices = list(devices) if devices is not None else [name for name in named.split(",") if name]
        self.command = list(command)
        self.names = [f"worker{number}" for number in range(num_workers)]
        self.logs = Path(logs)
        self.max_deaths = max_deaths
        self.deaths: dict[str, int] = dict.fromkeys([CHIEF, *self.names], 0)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._port = free_port()

    def __enter__(self) -> "Workers":
        self.logs.mkdir(parents=True, exist_ok=True)
        for name in self.deaths:
            self._start(name)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def run(self, watch: Callable[[], None] | None = None) -> None:
        """Waits until all workers have ended well, and replaces those that do not.

        Args:
            watch: Called again and again meanwhile.
        """
        while any(self.processes[name].poll() != 0 for name in self.names):
            for name, process in self.processes.items():
                code = process.poll()
                if code not in (None, 0) or (name == CHIEF and code == 0 and self._someone_runs()):
                    self._replace(name, code)
            if watch is not None:
                watch()
            time.sleep(_LOOK)

    def stop(self) -> None:
        """Ends all processes. The chief, which would wait for a while, has written everything after the last trial."""
        for process in self.processes.values():
            if process.poll() is None:
                process.terminate()
        for process in self.processes.values():
            try:
                process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _someone_runs(self) -> bool:
        return any(self.processes[name].poll() is None for name in self.names)

    def _replace(self, name: str, code: int | None) -> None:
        self.deaths[name] += 1
        if self.deaths[name] > self.max_deaths:
            raise RuntimeError(
                f"The process {name!r} must not die more than {self.max_deaths} times. "
                f"Received: {how_it_ended(code, self._log(name))}. Mend what it says; what has finished is kept."
            )
        self._start(name)

    def _start(self, name: str) -> None:
        environment = {
            **os.environ,
            "KERASTUNER_TUNER_ID": name,
            "KERASTUNER_ORACLE_IP": "127.0.0.1",
            "KERASTUNER_ORACLE_PORT": str(self._port),
        }
        place = self.names.index(name) if name != CHIEF else None
        if place is None:
            environment["CUDA_VISIBLE_DEVICES"] = ""  # it trains nothing
        elif self.devices:
            environment["CUDA_VISIBLE_DEVICES"] = self.devices[place % len(self.devices)]
        with self._log(name).open("ab") as log:
            process = subprocess.Popen(self.command, env=environment, stdout=log, stderr=subprocess.STDOUT)
        if place is not None and not self.devices:
            keep_on_share(process.pid, place, len(self.names))
        self.processes[name] = process

    def _log(self, name: str) -> Path:
        return self.logs / f"{name}.log"
