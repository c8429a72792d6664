"""How networks that are compared are trained."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from keras_dha.data import DataError
from keras_dha.data.sources import Source
from keras_dha.data.split import content_hashes, stratified_split
from keras_dha.recipes import RECIPES, Recipe, single_path
from keras_dha.search_model import SearchModel
from keras_dha.spaces import SearchSpace

SEARCHES: dict[str, Callable[[], Recipe]] = {**RECIPES, "single_path": single_path}


@dataclasses.dataclass(frozen=True)
class Protocol:
    """How each network is trained from scratch, whoever chose it.

    Args:
        recipe: The recipe whose training it is: its optimizer, augmentation and learned hyper-parameters, the
            architecture fixed.
        tricks: Whether with the recipe's augmentation and learned hyper-parameters; else by its optimizer alone.
        epochs: Number of epochs.
        batch_size: Examples a step.
        seed: Of the training, the same for all networks.

    Raises:
        ValueError: If a recipe is unknown, or a number is not positive.
    """

    recipe: str = "dha"
    tricks: bool = True
    epochs: int = 40
    batch_size: int = 64
    seed: int = 0

    def __post_init__(self) -> None:
        if self.recipe not in SEARCHES:
            raise ValueError(
                f"A protocol must be the training of a recipe, one of {sorted(SEARCHES)}. "
                f"Received: recipe={self.recipe!r}. Correct it."
            )
        if min(self.epochs, self.batch_size) < 1 or self.seed < 0:
            raise ValueError(
                "epochs and batch_size must be positive, and seed not negative. "
                f"Received: epochs={self.epochs}, batch_size={self.batch_size}, seed={self.seed}. Correct them."
            )

    def replace(self, **changes: Any) -> "Protocol":
        """The protocol with other values."""
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """The protocol as plain data."""
        return dataclasses.asdict(self)

    def model(self, space: SearchSpace, decisions: Mapping[str, Any]) -> SearchModel:
        """A network of a space, ready for `fit` as the protocol says."""
        off: dict[str, Any] = {} if self.tricks else {"augmentation": None, "hyperparameters": None}
        return SearchModel(space, SEARCHES[self.recipe](), decisions=decisions, seed=self.seed, **off)


@dataclasses.dataclass(frozen=True)
class EvaluationData:
    """Data in three parts: to train on, to choose by, and for the figures that are reported.

    Args:
        name: Of the data set.
        train: Inputs and labels that networks and searches learn from.
        validation: Inputs and labels by which random search, or a person, may choose.
        test: Inputs and labels that nothing was chosen by.
    """

    name: str
    train: tuple[np.ndarray, np.ndarray]
    validation: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]

    @classmethod
    def of(cls, source: Source, *, validation: float = 0.2, seed: int = 0) -> "EvaluationData":
        """Cuts a validation part off the training part; equal examples stay together.

        Args:
            source: A data set with a test part.
            validation: How much of each class, in (0, 1).
            seed: Of the cut.

        Raises:
            DataError: If there is no test part, or the share cannot be cut.
        """
        if source.x_test is None or source.y_test is None:
            raise DataError(
                "Data for an evaluation must have a test part. "
                f"Received: {source.name}, without one. Add x_test and y_test."
            )
        x, y = source.x_train, source.y_train
        kept, cut = stratified_split(len(y), validation, classes=y, hashes=content_hashes([x]), seed=seed)
        return cls(source.name, (x[kept], y[kept]), (x[cut], y[cut]), (source.x_test, source.y_test))

    def sizes(self) -> dict[str, int]:
        """Number of examples of each part."""
        return {name: len(getattr(self, name)[1]) for name in ("train", "validation", "test")}


def accuracy(model: Any, part: Sequence[np.ndarray], batch_size: int = 256) -> float:
    """The share of examples of a part that a classifier puts into the right class."""
    outputs = np.asarray(model.predict(part[0], batch_size=batch_size, verbose=0))
    return float(np.mean(outputs.argmax(axis=-1) == np.asarray(part[1]).ravel()))
