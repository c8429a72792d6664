import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from source_files import ROOT

BENCHMARKS = str(ROOT / "benchmarks")
# Works until its own clock has counted a second, and writes down how long that took by a clock that is never stopped.
WORKER = """
import sys, time
sys.path.insert(0, sys.argv[1])
from turns import use_own_clock
everybodys = time.monotonic
use_own_clock()
started, began = time.monotonic(), everybodys()
while time.monotonic() - started < 1.0:
    pass
print(everybodys() - began, file=open(sys.argv[2], "w"))
"""
DRIVER = """
import json, sys
sys.path.insert(0, sys.argv[1])
from turns import run_in_turns
run_in_turns(json.loads(sys.argv[2]), seconds=0.2)
"""


def drive(commands: list[list[str]]) -> subprocess.CompletedProcess[str]:
    driver = [sys.executable, "-c", DRIVER, BENCHMARKS, json.dumps(commands)]
    return subprocess.run(driver, capture_output=True, text=True, timeout=60, check=False)


def test_a_clock_stands_still_while_others_have_their_turn(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("one", "two")]
    driven = drive([[sys.executable, "-c", WORKER, BENCHMARKS, str(file)] for file in files])
    assert driven.returncode == 0, driven.stderr
    # Each had a second of its own, and waited for some of the other's.
    assert all(float(file.read_text()) > 1.5 for file in files)


def test_a_failure_ends_the_others(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    endless = f"import os, time; open({str(file)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    fails = "import time; time.sleep(0.5); raise SystemExit(3)"
    driven = drive([[sys.executable, "-c", endless], [sys.executable, "-c", fails]])
    assert driven.returncode == 1
    assert "All runs must end well. Received: a failure of" in driven.stderr
    with pytest.raises(ProcessLookupError):
        os.kill(int(file.read_text()), 0)


def test_alone_the_clock_is_the_usual_one() -> None:
    program = "import sys, time; sys.path.insert(0, sys.argv[1]); old = time.monotonic; import turns; "
    program += "turns.use_own_clock(); sys.exit(time.monotonic is not old)"
    assert subprocess.run([sys.executable, "-c", program, BENCHMARKS], check=False).returncode == 0
