"""Fuzzes what reads files, guided by coverage: `pip install atheris; python tests/fuzz_readers.py --seconds 60`.

A process a reader, for so many seconds each, from a good file. Anything but a result, or an error of those that readers
refuse by, ends that process; what did it is printed. Not a part of the test suite: `test_fuzzed_files.py` is.
"""

import argparse
import contextlib
import re
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any


def fuzz(name: str, folder: Path, seconds: int) -> None:
    import atheris

    with atheris.instrument_imports(include=["keras_dha"]):
        from file_readers import READERS, REFUSES

    warnings.simplefilter("ignore")
    reader = READERS[name]
    corpus, place = folder / "corpus", folder / "run"
    for path in (corpus, place):
        path.mkdir()
    (corpus / "good").write_bytes(reader.good)
    file = place / reader.file

    def one(content: bytes) -> None:
        file.write_bytes(content)
        with contextlib.suppress(REFUSES):
            reader.read(file)
        assert len(list(place.iterdir())) == 1

    options = [f"-max_total_time={seconds}", "-rss_limit_mb=8192", f"-artifact_prefix={folder}/found-"]
    atheris.Setup([sys.argv[0], *options, str(corpus)], one)
    atheris.Fuzz()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--readers", nargs="+")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--here", metavar="FOLDER", help="one reader, in this process")
    given = parser.parse_args()
    if given.here:
        fuzz(given.readers[0], Path(given.here), given.seconds)
        return
    from file_readers import READERS

    print("| reader | files | findings |\n|---|---|---|")
    failed = False
    for name in given.readers or READERS:
        with tempfile.TemporaryDirectory() as folder:
            words = [sys.executable, __file__, "--readers", name, "--seconds", str(given.seconds), "--here", folder]
            done = subprocess.run(words, capture_output=True, text=True, errors="replace")
            found: Any = re.search(r"Done (\d+) runs", done.stderr)
            failed |= done.returncode != 0
            print(f"| {name} | {found[1] if found else '?'} | {'0' if done.returncode == 0 else '1'} |", flush=True)
            if done.returncode:
                print(done.stdout[-4000:], done.stderr[-500:], file=sys.stderr)
                for path in Path(folder).glob("found-*"):
                    print(path.read_bytes()[:2000], file=sys.stderr)
    sys.exit(failed)


if __name__ == "__main__":
    main()
