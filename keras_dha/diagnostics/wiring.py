"""How wiring evolves: what each option costs, and what that says, as pure functions of arrays.

The cost of an option is `C = w * dL/dw`, its weight times the gradient of the loss: what the loss would gain, to first
order, without it. Summed over the edges of the last cell of a network whose classifier has no bias, the costs are
`L - H`, the loss minus the entropy of the prediction, for every sample.

Reference: Xie et al., "Understanding the wiring evolution in differentiable neural architecture search",
https://arxiv.org/abs/2009.01272, and its released analysis.
"""

import re
from collections.abc import Mapping, Sequence

import numpy as np

from keras_dha.diagnostics.decisiveness import NONE_WORDS, SKIP_WORDS, entropy

Probabilities = Mapping[str, Mapping[str, float]]


def loss_minus_entropy(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """`L - H = sum_k p_k y_k - y_t` for each sample, with logits y, `p = softmax(y)` and label t, in nats.

    At most 0 where the label is the likeliest class, at least 0 where it is the unlikeliest.

    Args:
        logits: Shape `(num_samples, num_classes)`.
        labels: Integers, shape `(num_samples,)`.

    Raises:
        ValueError: If the shapes do not fit.

    Example:

    >>> loss_minus_entropy(np.array([[0.0, 2.0]]), np.array([1])).round(4)
    array([-0.2384])
    """
    logits, labels = np.asarray(logits, np.float64), np.asarray(labels)
    if logits.ndim != 2 or labels.shape != logits.shape[:1]:
        raise ValueError(
            "logits must be of shape (num_samples, num_classes), and labels integers of shape (num_samples,). "
            f"Received: logits of shape {logits.shape}, labels of shape {labels.shape}. Give integer labels."
        )
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    return (p * logits).sum(axis=1) - logits[np.arange(len(labels)), labels]


def split_by_correctness(logits: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Mean `L - H` of the samples that are classified right and wrong, and their numbers; NaN where there are none.

    Args:
        logits: Shape `(num_samples, num_classes)`.
        labels: Integers, shape `(num_samples,)`.
    """
    gap, right = loss_minus_entropy(logits, labels), np.argmax(logits, axis=1) == labels
    means = {name: float(np.mean(gap[where])) if where.any() else float("nan") for name, where in _parts(right).items()}
    return {**means, **{f"num_{name}": int(where.sum()) for name, where in _parts(right).items()}}


def _parts(right: np.ndarray) -> dict[str, np.ndarray]:
    return {"correct": right, "wrong": ~right}


def by_edge(probabilities: Probabilities) -> dict[str, dict[str, float]]:
    """Edge to operation to its probability given the edge.

    A choice of one operation is one edge, named like it; the options `"i/op"` of a choice of several inputs are the
    edges `"choice/i"`, each normalised by itself.

    Args:
        probabilities: Choice name to option name to probability.

    Example:

    >>> by_edge({"node": {"0/conv": 0.375, "0/skip": 0.125, "1/conv": 0.25, "1/skip": 0.25}})["node/0"]
    {'conv': 0.75, 'skip': 0.25}
    """
    edges: dict[str, dict[str, float]] = {}
    for choice, options in probabilities.items():
        for option, value in options.items():
            source, slash, operation = option.partition("/")
            edge, operation = (f"{choice}/{source}", operation) if slash else (choice, option)
            edges.setdefault(edge, {})[operation] = float(value)
    for options in edges.values():
        total = sum(options.values())
        for operation in options:
            options[operation] = options[operation] / total if total > 0 else 1.0 / len(options)
    return edges


def probability_of(edge: Mapping[str, float], words: Sequence[str]) -> float:
    """The probability that an edge holds an operation whose name begins with one of `words`.

    Args:
        edge: Operation to probability.
        words: Beginnings of names, in lower case, such as `NONE_WORDS`.
    """
    return sum(value for name, value in edge.items() if name.lower().startswith(tuple(words)))


def is_intermediate(edge: str) -> bool:
    """Whether an edge of a ready-made space starts at a node of its own cell, and not at an input of the cell.

    In `NASBench201Space` an input is 0, in `DARTSSpace` 0 or 1.

    >>> is_intermediate("edge_2_from_1"), is_intermediate("normal_node_3/1"), is_intermediate("normal_node_3/2")
    (True, False, True)
    """
    matrix, node = re.fullmatch(r"edge_\d+_from_(\d+)", edge), re.fullmatch(r".*_node_\d+/(\d+)", edge)
    return bool(matrix and int(matrix[1]) > 0) or bool(node and int(node[1]) > 1)


def divergence(before: Mapping[str, float], after: Mapping[str, float]) -> float:
    """`KL(before || after)` of two distributions over the same operations, in nats.

    Args:
        before: Operation to probability.
        after: The same operations.
    """
    p, q = (np.array([side[name] for name in before], np.float64) for side in (before, after))
    return float(np.sum(p * (np.log(np.maximum(p, 1e-30)) - np.log(np.maximum(q, 1e-30)))))


def summary(probabilities: Probabilities) -> dict[str, dict[str, float]]:
    """Edge to its probability of none, its probability of a skip connection, and its entropy in nats.

    Args:
        probabilities: Choice name to option name to probability.
    """
    return {
        edge: {
            "none": probability_of(options, NONE_WORDS),
            "skip": probability_of(options, SKIP_WORDS),
            "entropy": entropy(list(options.values())),
        }
        for edge, options in by_edge(probabilities).items()
    }


def alerts(probabilities: Probabilities, held_out_gaps: Sequence[float], *, patience: int = 3) -> list[str]:
    """What goes wrong in a search, in words, each with what to change; empty if nothing does.

    Args:
        probabilities: Choice name to option name to probability, as they are now.
        held_out_gaps: Mean `L - H` of held-out samples, one an epoch, the last one last.
        patience: Epochs in a row that make a gap above 0 an alert.
    """
    edges = summary(probabilities)
    none = {edge: values["none"] for edge, values in edges.items()}
    found = []
    if edges and np.mean([values["skip"] for values in edges.values()]) > 0.5:
        found.append(
            "Most edges turn to skip connections: options without weights win while the others are untrained. Train "
            "the weights longer before the architecture moves (warmup_fraction), or use capacity_prior."
        )
    if none and np.mean(list(none.values())) > 0.5:
        found.append(
            "Most edges turn to 'none': the network is being emptied. Give more training data, fewer label errors, a "
            "larger learning rate of the weights, or a smaller one of the architecture."
        )
    recent = list(held_out_gaps)[-patience:]
    if len(recent) == patience and min(recent) > 0:
        found.append(
            f"The held-out loss exceeds the entropy of the predictions, for {patience} epochs: the weights are too "
            "sure of held-out examples, and a bi-level search then prefers no edge at all. Regularize the weights, "
            "hold out less, or let the architecture descend the training loss."
        )
    inner, outer = ([none[e] for e in edges if is_intermediate(e) == side] for side in (True, False))
    if inner and outer and max(inner) - max(outer) > 0.3:
        found.append(
            "Edges inside the cell turn to 'none' before those from its inputs: no gradient tells what depth is worth "
            "behind a batch normalization. Take a relaxation whose gradient is of the whole loss (estimator='score'), "
            "or leave 'none' out on these edges."
        )
    return found


def alerts_of_kept(decisions: Mapping[str, Sequence[str]]) -> list[str]:
    """What is wrong with what a search keeps, in words; empty if nothing is.

    Args:
        decisions: Choice name to kept options.

    Example:

    >>> alerts_of_kept({"a": ["conv"], "b": ["skip"]})
    []
    """
    kept = [option.rpartition("/")[2].lower() for options in decisions.values() for option in options]
    found = []
    for words, name in ((SKIP_WORDS, "a skip connection"), (NONE_WORDS, "'none'")):
        number = sum(option.startswith(tuple(words)) for option in kept)
        if number > len(kept) / 2:
            found.append(
                f"The search keeps {name} in {number} of {len(kept)} places. If options were still about as probable "
                "as each other, search longer, or with a larger learning rate of the architecture; else train the "
                "weights longer before the architecture moves (warmup_fraction), or use capacity_prior."
            )
    return found
