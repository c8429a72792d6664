"""What a search of two phases leaves in a folder, so that it can go on."""

import json
from pathlib import Path
from typing import Any

from keras_dha.safe_backup import NOT_ITS_STATE
from keras_dha.tuners.space_pruning import SpacePruning
from keras_dha.write_file import write_json

_SETTINGS, _PRUNED = "settings.json", "pruned.json"


class KeptSearch:
    """What a search leaves in a folder, so that it can go on.

    Args:
        folder: Made if it is not there.
        settings: Of the search that asks, plain data; what must be the same for it to go on.

    Attributes:
        paths: The file of the backup while the space is pruned.
        supernet: And of what is left.

    Raises:
        ValueError: If the folder is that of another search.
    """

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        self._folder = folder
        self.paths, self.supernet = folder / "paths.npz", folder / "supernet.npz"
        settings = json.loads(json.dumps(settings))
        known = self._read(_SETTINGS)
        if known is None:
            folder.mkdir(parents=True, exist_ok=True)
            write_json(folder / _SETTINGS, settings)
        elif known != settings:
            before = known if isinstance(known, dict) else {}
            changed = sorted(name for name in settings if settings[name] != before.get(name))
            raise ValueError(
                "A search that goes on must be the one that left the backup. Received: another "
                f"{', '.join(changed) or 'file'} than in {folder / _SETTINGS}. Give what was given, or another folder."
            )

    def take_up(self, rounds: SpacePruning) -> dict[str, int]:
        """Has a pruning that ended before stand where it ended.

        Returns:
            The peaks of memory that were measured then; none, and nothing happens, if no pruning has ended.

        Raises:
            ValueError: If the file is damaged.
        """
        state = self._read(_PRUNED)
        if state is None:
            return {}
        try:
            rounds.set_state(state["rounds"])
            return {phase: int(peak) for phase, peak in state["measured"].items()}
        except NOT_ITS_STATE as error:
            raise _damaged(self._folder / _PRUNED, error) from error

    def keep_pruned(self, rounds: SpacePruning, measured: dict[str, int]) -> None:
        """Keeps the end of the first phase, and forgets its model."""
        write_json(self._folder / _PRUNED, {"rounds": rounds.get_state(), "measured": measured})
        self.paths.unlink(missing_ok=True)

    def _read(self, name: str) -> Any:
        path = self._folder / name
        try:
            return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
        except (OSError, ValueError, RecursionError) as error:
            raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> ValueError:
    return ValueError(
        f"A backup must be whole files that a search wrote. Received: {path} ({error!r}). Give another folder."
    )
