"""A supernet of shared weights that runs one given network at a time."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_dha.recipes import Recipe
from keras_dha.relaxations import OneHotSample
from keras_dha.schedules import Schedule
from keras_dha.search_model import SearchModel
from keras_dha.spaces import Decisions, SearchSpace
from keras_dha.tuners.space_pruning import SpacePruning

Tensor = Any
_CERTAIN = 60.0  # a logit above all others by so much is drawn: noise is below 20 in float32


class PathModel(SearchModel):
    """Trains the weights along the network that `follow` names, and measures its accuracy on a held-out batch.

    One path runs in a step, so that activations are those of one network. Each step trains on a training batch, and
    then sees a held-out batch with the new weights; normalizations take the statistics of that batch, for moving ones
    are a mixture of those of all paths.

    Args:
        space: A space of two classes or more.
        recipe: Of it the optimizer of the weights counts; nothing else is learned here.
        seed: As in `SearchModel`.

    Attributes:
        reward: The held-out accuracy of the last step, a variable; NaN if an output was not finite.

    Raises:
        ValueError: If the networks have one output only, or give numbers.
    """

    goes_back = False  # a reward of NaN says what there is to say, and is left out by who asked for it

    def __init__(self, space: SearchSpace, recipe: Recipe, *, seed: int | None = None) -> None:
        if space.num_classes < 2 or not space.classifies:
            raise ValueError(
                "Rewards are accuracies, of two classes or more. "
                f"Received: num_classes={space.num_classes}, classifies={space.classifies}. Prune by rewards of "
                "your own with SpacePruning."
            )
        plain: dict[str, Any] = {"augmentation": None, "hyperparameters": None, "penalties": None}
        plain |= {"relaxation": OneHotSample(), "schedule": Schedule(search_fraction=1.0, warmup_fraction=1.0)}
        own = recipe.replace(architecture_loss="training")
        super().__init__(space, own, **plain, seed=seed)
        self.reward = self._state("reward")

    @property
    def needs_held_out(self) -> bool:
        """Always: rewards are held-out accuracies."""
        return True

    def follow(self, path: Mapping[str, Sequence[str]]) -> None:
        """From the next step on, this network runs; choices that are not named are drawn anew each step."""
        for name, kept in path.items():
            relaxation = self._relaxations[name]
            relaxation.logits.assign(_CERTAIN * np.isin(relaxation.choice.options, kept))

    def train_step(self, data: Any) -> dict[str, Tensor]:
        """A step of the weights, and then the reward."""
        logs = super().train_step(data)
        if isinstance(data, dict) and "held_out" in data:
            x, y, _ = keras.utils.unpack_x_y_sample_weight(data["held_out"])
            outputs = ops.cast(self.forward(self.scaling(x) if self.scaling else x, training=True)[0], "float32")
            of_each = ops.argmax(y, axis=-1) if len(y.shape) == 2 and y.shape[-1] > 1 else ops.reshape(y, (-1,))
            hits = ops.equal(ops.argmax(outputs, axis=-1), ops.cast(of_each, "int32"))
            accuracy = self._mean_of_replicas(ops.mean(ops.cast(hits, "float32")))
            finite = self._mean_of_replicas(ops.cast(ops.all(ops.isfinite(outputs)), "float32"))
            self.reward.assign(ops.where(finite < 1.0, float("nan"), accuracy))
        return logs


class PruneWhileTraining(keras.callbacks.Callback):
    """Has a `PathModel` follow what a pruning proposes, a network a step, and ends its fit when enough is pruned.

    Args:
        pruning: The rounds.
        warmup_steps: Steps at the start, on networks drawn uniformly, whose rewards are not learned from.
        on_round: Called with the record of each round.
    """

    def __init__(
        self, pruning: SpacePruning, warmup_steps: int, on_round: Callable[[dict[str, Any]], None] | None = None
    ) -> None:
        super().__init__()
        self._pruning = pruning
        self._warmup_steps = warmup_steps
        self._on_round = on_round
        self._steps = 0
        self._path = Decisions({})

    def get_state(self) -> dict[str, Any]:
        """All that changes between steps, as plain data for JSON."""
        return {"steps": self._steps, "pruning": self._pruning.get_state()}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Takes up what `get_state` returned."""
        self._pruning.set_state(state["pruning"])
        self._steps = int(state["steps"])

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Follows the next network."""
        self._path = self._pruning.propose()
        self.model.follow(self._path)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Learns from its reward."""
        self._steps += 1
        if self._steps <= self._warmup_steps:
            return
        rounds = len(self._pruning.history)
        self._pruning.observe(self._path, float(ops.convert_to_numpy(self.model.reward)))
        if self._on_round is not None and len(self._pruning.history) > rounds:
            self._on_round(self._pruning.history[-1])
        self.model.stop_training = self._pruning.done
