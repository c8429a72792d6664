"""The folder that a search writes: new, unfinished, finished, or somebody else's."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from keras_dha.commands.errors import CommandError
from keras_dha.reports import run_record
from keras_dha.write_file import write_json

RUN = "run.json"
WORKING = ".search"


class RunFolder:
    """Where a search keeps its state, and leaves its results.

    `run.json` (the options) is written first, `result.json` last: with the first only, the search is unfinished. What
    is needed to go on stands in `.search/`, which goes away at the end.

    Args:
        path: What was given as `--out`.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.working = self.path / WORKING

    @property
    def finished(self) -> bool:
        """Whether a search ended here."""
        return (self.path / run_record.RESULT).exists()

    @property
    def unfinished(self) -> bool:
        """Whether a search began here and did not end."""
        return (self.path / RUN).exists() and not self.finished

    def check_free(self) -> None:
        """Makes sure that a new search may write here, and writes nothing.

        Raises:
            CommandError: If the folder is in use, is a file, or cannot be written.
        """
        if self.finished:
            raise CommandError(
                f"--out must be a new folder. Received: {self.path}, which holds a finished run. Give another folder, "
                "or delete this one."
            )
        if self.unfinished:
            raise CommandError(
                f"--out must be a new folder. Received: {self.path}, which holds an unfinished run. Go on with it by "
                f"--resume, or give another folder."
            )
        if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            kind = "holds other files" if self.path.is_dir() else "is a file"
            raise CommandError(
                f"--out must be a new or empty folder. Received: {self.path}, which {kind}. Give another folder."
            )
        obstacle = obstacle_to(self.path)
        if obstacle is not None:
            raise CommandError(
                f"--out must be a folder that can be made. Received: {self.path}, but {obstacle} cannot be written to. "
                "Give another folder."
            )

    def begin(self, run: dict[str, Any]) -> Callable[[], None]:
        """Makes the folder and writes `run.json`; returns a function that takes both back."""
        made = [folder for folder in (self.path, *self.path.parents) if not folder.exists()]
        self.working.mkdir(parents=True, exist_ok=True)
        write_json(self.path / RUN, run)

        def undo() -> None:
            (self.path / RUN).unlink(missing_ok=True)
            shutil.rmtree(self.working, ignore_errors=True)
            for folder in made:
                if folder.is_dir() and not any(folder.iterdir()):
                    folder.rmdir()

        return undo

    def read_run(self) -> dict[str, Any]:
        """What `begin` wrote.

        Raises:
            CommandError: If it is not there or not readable.
        """
        try:
            run = run_record.read_json(self.path / RUN)
            return {**run, "arguments": dict(run["arguments"])}
        except (ValueError, KeyError, TypeError) as error:
            raise CommandError(
                f"An unfinished run must hold a readable {RUN}. Received: {self.path} ({error}). "
                "Start again in a new folder."
            ) from error

    def stored(self, *, resume: bool) -> dict[str, Any] | None:
        """What an unfinished run began with, if it shall go on; None for a new one, for which the folder is free.

        Raises:
            CommandError: If it cannot be read, or the folder is not free.
        """
        if resume and self.unfinished:
            return self.read_run()
        self.check_free()
        return None

    def finish(self, result: dict[str, Any]) -> None:
        """Writes `result.json`, which says that the run is finished, and clears the working files."""
        write_json(self.path / run_record.RESULT, result)
        shutil.rmtree(self.working, ignore_errors=True)


def obstacle_to(folder: Path) -> Path | None:
    """The file or folder because of which nothing can be written into `folder`, made if need be; None if it can."""
    nearest = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    return None if nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK) else nearest


def replace_folder(made: Path, target: Path) -> None:
    """Puts the folder `made` at `target`; what stood there goes away."""
    old = target.with_name(target.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    made.rename(target)
    shutil.rmtree(old, ignore_errors=True)
