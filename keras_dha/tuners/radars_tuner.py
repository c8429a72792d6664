"""Prunes a space until its supernet fits into memory, and searches what is left by gradient."""

import dataclasses
import gc
import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_dha.costs import TrainingMemory, peak_resident_bytes, resident_bytes
from keras_dha.recipes import Recipe, darts
from keras_dha.safe_backup import SafeBackup
from keras_dha.search_model import SearchModel
from keras_dha.spaces import Decisions, RestrictedSpace, SearchSpace
from keras_dha.spaces.restricted_space import is_restrictable
from keras_dha.tuners.byte_sizes import bytes_of, readable
from keras_dha.tuners.kept_search import KeptSearch
from keras_dha.tuners.path_controller import PathController
from keras_dha.tuners.path_model import PathModel, PruneWhileTraining
from keras_dha.tuners.space_pruning import Alive, Pruning, SpacePruning

_STARTS = ("probabilities", "zeros")
_BOUNDED = ("process", "training")
_LEARNING_RATE = 10.0  # rewards on shared weights differ by hundredths, those of trained networks by tenths
_FRAGMENTS = 1.5  # what one network has freed does not fit the next one: TensorFlow's pool grows for hundreds of steps
_EPOCHS = 1_000_000  # of the pruning, which ends by itself


class RadarsTuner:
    """A differentiable search in a memory budget: reinforcement learning prunes the space, until its supernet fits.

    1. Networks are drawn one at a time. Each is trained for a step on weights that all of them share, and rewarded with
       its accuracy on a held-out batch; a controller learns which options are good (`SpacePruning`). Only one network
       runs in a step. Round by round the least probable option of each choice is left out, until the supernet of what
       is left is predicted to fit.
    2. `SearchModel` searches what is left: the supernet is built anew, of the options that are alive.

    A supernet that fits as it is, is searched at once. Nothing is built whose predicted memory is above the budget.

    Args:
        space: The whole space.
        memory_budget: A number of bytes, or a text such as `"2GiB"`.
        recipe: Of the differentiable search, of first order. Defaults to `keras_dha.recipes.darts()`.
        pruning: How options are left out. Defaults to `Pruning(learning_rate=10.0)`.
        start: Where the logits of the differentiable search start: `"probabilities"`, at the logs of the controller's;
            or `"zeros"`.
        bounds: What the budget is for: `"process"`, all main memory that the process holds, with what it holds before
            the search; or `"training"`, what the search adds to that.
        margin: What is added to each prediction, as a share of what training is predicted to add. Defaults to 0.25.
        seed: Makes a run repeatable, as in `SearchModel`.

    Attributes:
        history: A dict: `budget`, `fixed`, `predicted` (bytes of the `whole` supernet, of `paths`, of the `supernet`
            that is left), `measured` (peaks of the process after each of both phases, less `fixed` if
            `bounds="training"`), `rounds` (`SpacePruning.history`), `alive`, and `fit`, the history of the second
            phase.
        model: The `SearchModel` of the second phase; None before.

    Raises:
        ValueError: If an argument cannot be used.

    Example:

    ```python
    space = keras_dha.spaces.NASBench201Space((28, 28, 1), 10, channels=32)
    tuner = keras_dha.tuners.RadarsTuner(space, memory_budget="2GiB")
    tuner.search(x_train, y_train, batch_size=128, epochs=20)
    final = tuner.derive()
    ```

    Reference: RADARS-style: Yan, Jiang, Hu, Shi, "RADARS: Memory Efficient Reinforcement Learning Aided Differentiable
    Neural Architecture Search", https://arxiv.org/abs/2109.05691. We knew the abstract only, which has reinforcement
    learning prune the space iteratively, and a differentiable search in the subspace. Controller, rewards, pruning,
    defaults and the model of memory are ours; docs/radars.md says more.
    """

    def __init__(
        self,
        space: SearchSpace,
        memory_budget: str | float,
        *,
        recipe: Recipe | None = None,
        pruning: Pruning | None = None,
        start: str = "probabilities",
        bounds: str = "process",
        margin: float = 0.25,
        seed: int | None = None,
    ) -> None:
        self.space = space
        self.budget = bytes_of(memory_budget)
        self.recipe = recipe or darts()
        self.pruning = pruning or Pruning(learning_rate=_LEARNING_RATE)
        if start not in _STARTS or bounds not in _BOUNDED or not 0.0 <= margin < 10.0:
            raise ValueError(
                f"start must be one of {_STARTS}, bounds one of {_BOUNDED}, and margin a share from 0. "
                f"Received: start={start!r}, bounds={bounds!r}, margin={margin}. Correct them."
            )
        if self.recipe.architecture_loss.startswith("unrolled"):
            raise ValueError(
                "The memory of a search of first order can be predicted only. Received: recipe "
                f"{self.recipe.name!r} with architecture_loss={self.recipe.architecture_loss!r}. Give darts(order=1)."
            )
        self.start, self.bounds, self.margin, self.seed = start, bounds, float(margin), seed
        self.history: dict[str, Any] = {}
        self.model: SearchModel | None = None
        self._table = TrainingMemory(space)
        self._choices = [choice for choice in space.choices() if is_restrictable(choice)]
        self._slots = self.recipe.slots()

    def memory(
        self,
        batch_size: int,
        alive: Mapping[str, Sequence[str]] | None = None,
        *,
        paths: str = "",
        after_pruning: bool = False,
    ) -> int:
        """The bytes that training is predicted to add, with the margin.

        Args:
            batch_size: Examples in a batch.
            alive: The options that are left, by choice; None: all.
            paths: `"all"` or `"one"`, as in `TrainingMemory.of`; by default as the recipe's relaxation runs them.
            after_pruning: Whether to count the graphs of the pruning, too: the process may not give them back.
        """
        runs = paths or self.recipe.paths
        estimate = self._table.of(batch_size, alive=alive, paths=runs, slots=self._slots)
        total = estimate.total + (round((_FRAGMENTS - 1.0) * estimate.activations) if runs == "one" else 0)
        if after_pruning:
            total += self._table.of(batch_size, paths="one", slots=self._slots).graph
        return round((1.0 + self.margin) * total)

    def search(
        self,
        x: Any,
        y: Any = None,
        *,
        batch_size: int | None = None,
        epochs: int = 10,
        held_out: Any = 0.2,
        warmup_steps: int = 100,
        verbose: Any = "auto",
        backup: str | os.PathLike[str] | None = None,
        **kwargs: Any,
    ) -> "RadarsTuner":
        """Prunes, and searches.

        Args:
            x: As in `SearchModel.fit`.
            y: As in `SearchModel.fit`.
            batch_size: For arrays; 32 by default.
            epochs: Of the differentiable search and of settling, together. Pruning takes as many steps as its rounds
                have networks.
            held_out: A share of the training data, or data: what rewards, and the architecture, learn from. The same in
                both phases, if `seed` is given.
            warmup_steps: Steps before the first round, in which shared weights learn something.
            verbose: Of the differentiable search, as in Keras.
            backup: A folder. Both phases keep there after each epoch what they need to go on; the same search with the
                same folder does, at most one epoch back. `history["fit"]` then has the epochs since.
            **kwargs: Further arguments of `SearchModel.fit`, for the differentiable search.

        Returns:
            This tuner.

        Raises:
            ValueError: Before any training, if the budget cannot be met, one network does not fit, there is a backup
                and no seed, or the backup is of another search.
            RuntimeError: If rewards do not tell options apart, or are not finite.
        """
        kept = None if backup is None else KeptSearch(Path(backup), self._settings(batch_size, held_out, warmup_steps))
        size = _batch_size(x, batch_size)
        fixed = resident_bytes() if self.bounds == "process" else 0
        before = 0 if self.bounds == "process" else resident_bytes()

        whole, paths = fixed + self.memory(size), fixed + self.memory(size, paths="one")

        def needed(alive: Alive) -> int:
            return fixed + self.memory(size, alive, after_pruning=whole > self.budget)

        rounds = SpacePruning(self._choices, needed, self.budget, pruning=self.pruning, seed=self.seed)
        predicted = {"whole": whole, "paths": paths}
        self.history = {"budget": self.budget, "fixed": fixed, "predicted": predicted, "measured": {}}
        if kept:
            self.history["measured"] = kept.take_up(rounds)
        if not rounds.done:
            if paths > self.budget:
                raise ValueError(
                    "The budget must hold the weights of all options, and one network. "
                    f"Received: memory_budget={readable(self.budget)}, one network at a time {readable(paths)}. "
                    "Raise the budget, or lower the batch size."
                )
            fit_arguments = {"batch_size": batch_size, "held_out": held_out}
            self._prune(rounds, x, y, warmup_steps, kept, fit_arguments)
            self._check_peak("paths", before)
            if kept:
                kept.keep_pruned(rounds, self.history["measured"])
        self.history |= {"rounds": rounds.history, "alive": rounds.alive()}
        predicted["supernet"] = needed(rounds.alive())
        if predicted["supernet"] > self.budget:  # before the supernet is built
            raise RuntimeError(
                "What is left must fit into the budget. Received: "
                f"{readable(predicted['supernet'])} of {readable(self.budget)}. This is a mistake of ours: report it."
            )
        model = SearchModel(RestrictedSpace(self.space, rounds.alive()), self.recipe, seed=self.seed)
        if self.start == "probabilities":
            _start_at(model, rounds.controller)
        self.model = model
        options = {"batch_size": batch_size, "epochs": epochs, "held_out": held_out, "verbose": verbose}
        if kept:
            options["callbacks"] = [*(kwargs.pop("callbacks", None) or ()), SafeBackup(kept.supernet)]
        self.history["fit"] = model.fit(x, y, **options, **kwargs).history
        self._check_peak("supernet", before)
        return self

    def _settings(self, batch_size: int | None, held_out: Any, warmup_steps: int) -> dict[str, Any]:
        """What must be the same for a search to go on, as plain data."""
        if self.seed is None:
            raise ValueError(
                "A search that is to go on must have a seed. Received: seed=None, and a backup. "
                "Give RadarsTuner(seed=0), or no backup."
            )
        share = held_out if isinstance(held_out, float) else "data"
        settings = {"budget": self.budget, "bounds": self.bounds, "margin": self.margin, "seed": self.seed}
        settings |= {"pruning": dataclasses.asdict(self.pruning), "start": self.start}
        settings |= {"space": self.space.get_config(), "recipe": self.recipe.name}
        settings |= {"batch_size": batch_size, "held_out": share, "warmup_steps": warmup_steps}
        return settings | {"choices": {choice.name: list(choice.options) for choice in self._choices}}

    def _prune(
        self,
        rounds: SpacePruning,
        x: Any,
        y: Any,
        warmup_steps: int,
        kept: KeptSearch | None,
        fit_arguments: dict[str, Any],
    ) -> None:
        """The first phase; nothing of its model stays."""
        model = PathModel(self.space, self.recipe, seed=self.seed)
        callbacks: list[Any] = [PruneWhileTraining(rounds, warmup_steps)]
        if kept:
            callbacks.append(SafeBackup(kept.paths, beside=callbacks[0]))
        model.fit(x, y, epochs=_EPOCHS, verbose=0, callbacks=callbacks, **fit_arguments)
        del model, callbacks
        gc.collect()

    def _check_peak(self, phase: str, before: int) -> None:
        """Keeps the peak of the process so far, and warns if it is above the budget."""
        # Linux counts pages by processor, and adds them up now and then: a peak may be told a little lower later on.
        earlier = [value for name, value in self.history["measured"].items() if name != phase]
        peak = max([peak_resident_bytes() - before, *earlier])
        self.history["measured"][phase] = peak
        if peak > self.budget:
            warnings.warn(
                f"The peak of memory was {readable(peak)}, above the budget of {readable(self.budget)}; predicted was "
                f"{readable(self.history['predicted'][phase])}. Other work of this process counts, too. "
                "Give a larger margin.",
                RuntimeWarning,
                stacklevel=3,
            )

    def decisions(self) -> Decisions:
        """What the search keeps: decisions of the whole space.

        Raises:
            RuntimeError: Before `search`.
        """
        return self._searched().decisions()

    def derive(self) -> keras.Model:
        """The network that was found, a plain Keras model with trained weights: `SearchModel.derive`.

        Raises:
            RuntimeError: Before `search`.
        """
        return self._searched().derive()

    def _searched(self) -> SearchModel:
        if self.model is None:
            raise RuntimeError("There must have been a search. Received: none. Call search(x, y) first.")
        return self.model


def _batch_size(x: Any, batch_size: int | None) -> int:
    """How many examples a batch has; a dataset has its own number."""
    if batch_size is not None:
        return int(batch_size)
    if hasattr(x, "element_spec") or isinstance(x, keras.utils.PyDataset):
        return len(keras.tree.flatten(next(iter(x)) if hasattr(x, "element_spec") else x[0])[0])
    return min(32, len(keras.tree.flatten(x)[0]))


def _start_at(model: SearchModel, controller: PathController) -> None:
    """Puts the logits where the weights of options are the controller's probabilities.

    Options that are never kept, which the controller does not know, start at the mean of the others.

    Raises:
        ValueError: If a relaxation's logits are not one number an option.
    """
    relaxations = {relaxation.choice.name: relaxation for relaxation in model.choice_relaxations}
    for name, p in controller.probabilities().items():
        relaxation, own = relaxations[name], p[controller.alive[name]]
        if tuple(relaxation.logits.shape) != own.shape:
            raise ValueError(
                "A search of one logit an option can start at probabilities. Received: "
                f"{type(relaxation).__name__} with logits of shape {relaxation.logits.shape}. Give start='zeros'."
            )
        known = own > 0
        logs = np.log(own, where=known, out=np.zeros_like(own))
        scale = float(keras.ops.convert_to_numpy(relaxation.present_scale()))
        relaxation.logits.assign(np.where(known, logs, logs[known].mean()) / scale)
