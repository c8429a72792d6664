import json
import os
import subprocess
import sys
from pathlib import Path

from source_files import ROOT

BENCHMARKS = str(ROOT / "benchmarks")
# Sleeps, which its clock does not count, and then works until that has counted a fifth of a second.
WORKER = """
import json, os, sys, time
sys.path.insert(0, sys.argv[1])
from cores import use_one_core
use_one_core()
started = time.monotonic()
time.sleep(0.5)
slept = time.monotonic() - started
while time.monotonic() - started < 0.2:
    pass
found = {"cores": sorted(os.sched_getaffinity(0)), "slept": slept, "threads": os.environ["TF_NUM_INTRAOP_THREADS"]}
json.dump(found, open(sys.argv[2], "w"))
"""
DRIVER = """
import json, os, sys
sys.path.insert(0, sys.argv[1])
from cores import run_on_cores
run_on_cores(json.loads(sys.argv[2]), sorted(os.sched_getaffinity(0))[:2])
"""


def drive(commands: list[list[str]]) -> subprocess.CompletedProcess[str]:
    driver = [sys.executable, "-c", DRIVER, BENCHMARKS, json.dumps(commands)]
    return subprocess.run(driver, capture_output=True, text=True, timeout=60, check=False)


def test_each_has_one_core_and_one_thread_and_a_clock_that_counts_its_work(tmp_path: Path) -> None:
    files = [tmp_path / str(number) for number in range(3)]
    driven = drive([[sys.executable, "-c", WORKER, BENCHMARKS, str(file)] for file in files])
    assert driven.returncode == 0, driven.stderr
    for found in (json.loads(file.read_text()) for file in files):
        assert len(found["cores"]) == 1
        assert set(found["cores"]) <= os.sched_getaffinity(0)
        assert found["slept"] < 0.1
        assert found["threads"] == "1"


def test_a_failure_is_told_after_all_have_run(tmp_path: Path) -> None:
    file = tmp_path / "ran"
    ends = [sys.executable, "-c", f"import pathlib; pathlib.Path({str(file)!r}).touch()"]
    driven = drive([[sys.executable, "-c", "raise SystemExit(3)"], *[ends] * 2])
    assert driven.returncode == 1
    assert "All runs must end well. Received: a failure of" in driven.stderr
    assert file.exists()


def test_alone_nothing_changes() -> None:
    program = "import sys, time; sys.path.insert(0, sys.argv[1]); old = time.monotonic; import cores; "
    program += "cores.use_one_core(); sys.exit(time.monotonic is not old)"
    assert subprocess.run([sys.executable, "-c", program, BENCHMARKS], check=False).returncode == 0
