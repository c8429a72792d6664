"""What the training part and the held-out part have in common."""

import abc
import dataclasses
from typing import Any


@dataclasses.dataclass
class Progress:
    """How far a fit is; parts look at it when an epoch's first batch is drawn.

    Args:
        epoch: Whole number from 0.
        is_settled: Whether the search has ended.
    """

    epoch: int = 0
    is_settled: bool = False


class Part(abc.ABC):
    """Examples that full batches are made of, without an end."""

    @abc.abstractmethod
    def pipeline(self, progress: Progress, batch_size: int, num_batches: int) -> Any:
        """A `tf.data.Dataset` of `num_batches` elements, `(x, y)` or `(x, y, sample_weight)`.

        Args:
            progress: Looked at each time the dataset is iterated anew.
            batch_size: Examples in each batch.
            num_batches: How many batches.
        """
