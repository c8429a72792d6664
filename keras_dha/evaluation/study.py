"""Searches beside random architectures: all that must be trained to compare them, each once."""

import gc
import json
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_dha.costs import parameters
from keras_dha.data import reshuffled
from keras_dha.evaluation.inherited_network import SupernetAccuracies
from keras_dha.evaluation.protocol import SEARCHES, EvaluationData, Protocol, accuracy
from keras_dha.evaluation.ranks import best_and_last
from keras_dha.safe_backup import SafeBackup
from keras_dha.search_model import SearchModel
from keras_dha.spaces import Decisions, SearchSpace
from keras_dha.write_file import write_json

Run = dict[str, Any]
_FINE_TUNING = 0.2  # of the protocol's epochs, at a hundredth of a usual rate


class SearchStudy:
    """Trains what says whether searches in a space are better than chance, and keeps every result in a file.

    - `random`: architectures drawn uniformly, trained from scratch by the protocol;
    - `search`: for each recipe and search seed one search, its model as it is handed over (`ready`), and trained on
      (`fine_tuned`); and what the random architectures are worth with the weights of its supernet;
    - `retrained`: what was found, trained from scratch by the protocol.

    On request also `again`, random architectures with another training seed; `plain`, both groups without the
    protocol's tricks; and `size`, random architectures in a space of another depth.

    A result that is there is not made again; a training that was interrupted goes on after its last whole epoch.

    Args:
        space: The space.
        data: In three parts.
        recipes: Names of recipes that search.
        folder: Where results and unfinished trainings are kept.
        protocol: How networks are trained from scratch. A search has as many epochs, and the same batch size.
        num_random: How many architectures are drawn: the paper has 8.
        seeds: Of the searches: the paper has 8.
        seed: Of the drawing.

    Raises:
        ValueError: If the space is not one of classes, a recipe is unknown, there are no two random architectures, or
            seeds repeat.

    Reference: Yang, Esperanca, Carlucci, "NAS evaluation is frustratingly hard", https://arxiv.org/abs/1912.12522,
    section 3. Where we differ: searches learn from the training part alone, without the validation part; a protocol
    belongs to all searches that are compared, not to each its own.
    """

    def __init__(
        self,
        space: SearchSpace,
        data: EvaluationData,
        recipes: Sequence[str],
        folder: str | os.PathLike[str],
        *,
        protocol: Protocol | None = None,
        num_random: int = 8,
        seeds: Sequence[int] = (0, 1, 2),
        seed: int = 0,
    ) -> None:
        self.space, self.data, self.folder = space, data, Path(folder)
        self.protocol = protocol or Protocol()
        self.recipes, self.seeds = tuple(recipes), tuple(seeds)
        if not space.classifies or space.num_classes < 2:
            raise ValueError(
                "Networks are compared by accuracy, so a space must be one of classes. "
                f"Received: {type(space).__name__}, classifies={space.classifies}, num_classes={space.num_classes}. "
                "Compare numbers with relative_improvement of a score of yours, such as 1 / error."
            )
        unknown = sorted(set(self.recipes) - set(SEARCHES))
        if unknown or not self.recipes or len(set(self.recipes)) < len(self.recipes):
            raise ValueError(
                f"Recipes must be some of {sorted(SEARCHES)}, each once. Received: {list(recipes)}. Correct them."
            )
        if num_random < 2 or not self.seeds or len(set(self.seeds)) < len(self.seeds) or min(self.seeds) < 0:
            raise ValueError(
                "There must be two random architectures at least, and different search seeds, not negative. "
                f"Received: num_random={num_random}, seeds={list(seeds)}. The paper has 8 of each."
            )
        drawn = [space.random_decisions(seed=_seed_of(seed, i)) for i in range(num_random)]
        self.networks = {f"random_{i}": decisions for i, decisions in enumerate(drawn)}

    def run(
        self,
        *,
        again: int = 0,
        plain: bool = False,
        sizes: Mapping[str, SearchSpace] | None = None,
        progress: Callable[[str], None] | None = None,
    ) -> dict[str, list[Run]]:
        """Makes what is not there yet, and reads the rest.

        Args:
            again: How many of the random architectures are trained with another seed, too.
            plain: Whether both groups are trained without the protocol's tricks, too.
            sizes: Name to a space of the same choices, such as one of fewer cells, in which they are trained, too.
            progress: Told each name before it is made, and the how-many-th of all it is.

        Returns:
            For each group its runs: `name`, `decisions`, `validation` and `test` accuracy of the last epoch,
            `parameters`, `seconds`, and what belongs to the group alone.

        Raises:
            ValueError: If a space of `sizes` has other choices.
        """
        self.check_sizes(sizes or {})
        tell = progress or (lambda name: None)
        groups = ("random", "search", "retrained", "again", "plain", "size")
        found: dict[str, list[Run]] = {group: [] for group in groups}

        count, searches = len(self.networks), len(self.recipes) * len(self.seeds)
        of_all = count * (1 + plain + len(sizes or {})) + searches * (2 + plain) + min(again, count)

        def add(group: str, name: str, make: Callable[[Path], Run]) -> Run:
            number = 1 + sum(map(len, found.values()))
            found[group].append(self._once(group, name, make, lambda: tell(f"{group} {name}, {number} of {of_all}")))
            return found[group][-1]

        for name, decisions in self.networks.items():
            add("random", name, self._trained(decisions, self.protocol))
        for recipe in self.recipes:
            for seed in self.seeds:
                name = f"{recipe}_{seed}"
                run = add("search", name, self._searched(recipe, seed))
                own = {"recipe": recipe, "search_seed": seed}
                kept = Decisions(run["decisions"])
                add("retrained", name, self._trained(kept, self.protocol, own))
                if plain:
                    add("plain", name, self._trained(kept, self.protocol.replace(tricks=False), own))
        for name, decisions in self.networks.items():
            if plain:
                add("plain", name, self._trained(decisions, self.protocol.replace(tricks=False)))
            for size, space in (sizes or {}).items():
                add("size", f"{name}_{size}", self._trained(decisions, self.protocol, {"size": size}, space))
        other = self.protocol.replace(seed=self.protocol.seed + 1)
        for name, decisions in list(self.networks.items())[:again]:
            add("again", name, self._trained(decisions, other))
        return found

    def check_sizes(self, sizes: Mapping[str, SearchSpace]) -> None:
        """Raises a `ValueError` if one of the spaces does not have the choices of the study's space."""
        for name, space in sizes.items():
            if space.choices() != self.space.choices():
                raise ValueError(
                    "A space of another size must have the same choices, so that an architecture is a point of both. "
                    f"Received: {name!r}, with {len(space.choices())} choices, not the {len(self.space.choices())} of "
                    "the space. Leave this size out."
                )

    def _once(self, group: str, name: str, make: Callable[[Path], Run], tell: Callable[[], None]) -> Run:
        path, working = self.folder / group / f"{name}.json", self.folder / "unfinished" / f"{group}_{name}"
        if not path.exists():
            tell()
            working.mkdir(parents=True, exist_ok=True)
            run = {"name": name, **make(working)}
            path.parent.mkdir(parents=True, exist_ok=True)
            write_json(path, run)
            shutil.rmtree(working)
            gc.collect()  # clear_session would take the user's own settings away, such as the dtype policy
        kept: Run = json.loads(path.read_text(encoding="utf-8"))
        return kept

    def _trained(
        self,
        decisions: Decisions,
        protocol: Protocol,
        own: Mapping[str, Any] | None = None,
        space: SearchSpace | None = None,
    ) -> Callable[[Path], Run]:
        def make(working: Path) -> Run:
            model = protocol.model(space or self.space, decisions)
            curve = self._fit(model, protocol, working)
            run = {**(own or {}), "protocol": protocol.to_dict(), "curve": curve, "epoch": best_and_last(curve)}
            return {**run, **self._figures(model.derive(), decisions, model)}

        return make

    def _searched(self, recipe: str, seed: int) -> Callable[[Path], Run]:
        def make(working: Path) -> Run:
            model = SearchModel(self.space, SEARCHES[recipe](), seed=seed)
            inherited = SupernetAccuracies(
                working / "supernet.json", self.networks, self.data.train[0], self.data.validation
            )
            curve = self._fit(model, self.protocol, working, inherited)
            final = model.derive()
            run: Run = {"recipe": recipe, "search_seed": seed, "curve": curve, "supernet": inherited.accuracies()}
            run |= self._figures(final, model.decisions(), model)
            return {**run, "fine_tuned": self._fine_tuned(final)}

        return make

    def _fit(self, model: SearchModel, protocol: Protocol, working: Path, *callbacks: Any) -> list[float]:
        """Trains to the end, also what was begun before; returns the accuracies on the validation part by epoch."""
        curve = _Curve(working / "curve.json")
        model.fit(
            *self.data.train,
            batch_size=protocol.batch_size,
            epochs=protocol.epochs,
            validation_data=self.data.validation,
            callbacks=[*callbacks, curve, SafeBackup(working / "backup.npz")],
            verbose=0,
        )
        return curve.accuracies()

    def _figures(self, final: keras.Model, decisions: Decisions, model: SearchModel) -> Run:
        parts = {name: accuracy(final, getattr(self.data, name)) for name in ("validation", "test")}
        kept = {name: list(options) for name, options in decisions.items()}
        return {**parts, "decisions": kept, "parameters": parameters(final), "seconds": float(model.seconds.numpy())}

    def _fine_tuned(self, final: keras.Model) -> Run:
        """The model that was handed over, trained on by plain Keras, at a low rate that falls to 0."""
        began, epochs = time.monotonic(), max(1, round(_FINE_TUNING * self.protocol.epochs))
        steps = epochs * -(-len(self.data.train[1]) // self.protocol.batch_size)
        keras.utils.set_random_seed(self.protocol.seed)
        rate = keras.optimizers.schedules.CosineDecay(1e-3, steps)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=self.space.from_logits)
        final.compile(keras.optimizers.SGD(rate, momentum=0.9, nesterov=True), loss)
        rows = reshuffled(*self.data.train, batch_size=self.protocol.batch_size, seed=self.protocol.seed)
        final.fit(rows, epochs=epochs, shuffle=False, verbose=0)
        parts = {name: accuracy(final, getattr(self.data, name)) for name in ("validation", "test")}
        return {**parts, "epochs": epochs, "seconds": time.monotonic() - began}


def _seed_of(seed: int, number: int) -> int:
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


class _Curve(keras.callbacks.Callback):
    """Keeps the accuracy on the validation part of each epoch, also of those before an interruption."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def accuracies(self) -> list[float]:
        """One an epoch."""
        return [float(value) for value in json.loads(self.path.read_text(encoding="utf-8"))]

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Writes down an epoch; one that is trained again takes its old place."""
        before = self.accuracies()[:epoch] if self.path.exists() else []
        write_json(self.path, [*before, float((logs or {})["val_accuracy"])])
