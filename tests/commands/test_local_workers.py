import os
import subprocess
import sys
import time

import pytest

from keras_dha.commands import CommandError, local_workers
from keras_dha.commands.local_workers import run_workers

HEAD = """
import json, os, pathlib, signal, sys, time
folder, again = pathlib.Path(sys.argv[1]), "--resume" in sys.argv
task = json.loads(os.environ["TF_CONFIG"])["task"]["index"]
unfinished = folder / f"unfinished_{task}"
unfinished.write_text(f"{os.getpid()} {os.environ['TF_CONFIG']}")
unfinished.rename(folder / f"{task}{'_again' if again else ''}")  # at once, for others wait for the name
"""


def program(folder, body):
    return [sys.executable, "-c", HEAD + body, str(folder)]


def is_running(process):
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True, check=False)
    return state.stdout.strip()[:1] not in ("", "Z")


def test_each_worker_is_told_its_place(tmp_path):
    wait = "while task == 0 and not (folder / '1').exists(): time.sleep(0.01)"
    assert run_workers(program(tmp_path, wait), 2) == "2 workers."
    first, second = ((tmp_path / name).read_text().split(" ", 1)[1] for name in "01")
    assert first != second
    assert first.replace('"index": 0', '"index": 1') == second


def test_when_one_is_killed_all_begin_again(tmp_path):
    body = """
if not again:
    while task and not (folder / "0").exists(): time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGKILL) if task else time.sleep(100)
"""
    started = time.monotonic()
    assert run_workers(program(tmp_path, body), 2) == "2 workers, started again 1 times."
    assert (tmp_path / "0_again").exists()
    assert time.monotonic() - started < 50  # the first one was not waited for


@pytest.mark.parametrize(("task", "told"), [(1, "exit code 2, and at the end of .*too wide"), (0, "stands above")])
def test_bad_input_is_told_and_ends_all(task, told, tmp_path):
    body = f"""
if task == {task}:
    sys.exit(print("too wide", flush=True) or 2)
(folder / "waits").write_text("")
time.sleep(100)
"""
    with pytest.raises(CommandError, match=f"worker {task} ended with .*{told}"):
        run_workers(program(tmp_path, body), 2)
    assert not (tmp_path / "0_again").exists()
    other = tmp_path / str(1 - task)
    assert not other.exists() or not is_running(other.read_text().split()[0])


def test_workers_that_die_again_and_again_are_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(local_workers, "_MAX_RESTARTS", 1)
    body = "print('dies', flush=True) or os.kill(os.getpid(), signal.SIGKILL) if task else time.sleep(100)"
    with pytest.raises(CommandError, match=r"worker 1 ended with SIGKILL, .*dies.*goes on with --resume"):
        run_workers(program(tmp_path, body), 2)
    assert (tmp_path / "1_again").exists()


def test_an_error_is_not_tried_again(tmp_path):
    with pytest.raises(CommandError, match=r"worker 1 ended with exit code 1, .*NameError"):
        run_workers(program(tmp_path, "broken if task else time.sleep(100)"), 2)
    assert not (tmp_path / "1_again").exists()


def test_an_interrupt_reaches_all(tmp_path, monkeypatch):
    asleep = time.sleep

    def sleep(seconds):
        if all((tmp_path / name).exists() for name in ("0_ready", "1_ready")):
            # Only once: `Popen.wait` sleeps, too, and a second interrupt ends the patience with the workers.
            monkeypatch.setattr(time, "sleep", asleep)
            raise KeyboardInterrupt
        os.sched_yield()

    monkeypatch.setattr(time, "sleep", sleep)
    body = """
signal.signal(signal.SIGINT, signal.default_int_handler)  # which what runs in the background ignores
try:
    (folder / f"{task}_ready").write_text("")
    time.sleep(100)
except KeyboardInterrupt:
    (folder / f"{task}_interrupted").write_text("")
"""
    with pytest.raises(KeyboardInterrupt):
        run_workers(program(tmp_path, body), 2)
    assert all((tmp_path / f"{task}_interrupted").exists() for task in (0, 1))
