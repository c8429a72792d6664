"""The identities of wiring evolution in float64, and what is read from probabilities."""

import numpy as np
import pytest
import tensorflow as tf

from keras_dha.diagnostics import wiring

LABELS = np.arange(32) % 3


def normalized(x: tf.Tensor) -> tf.Tensor:
    mean, variance = tf.nn.moments(x, axes=(0, 1, 2))
    return (x - mean) / tf.sqrt(variance + 1e-12)


class Cell:
    """Inputs 0 and 1, nodes 2 and 3; edges (0,2) (1,2) (0,3) (1,3) (2,3), each ReLU, linear, normalization."""

    def __init__(self, rng: np.random.Generator, channels: int, *, skip: bool = False) -> None:
        self.kernels = [rng.standard_normal((channels, 4)) for _ in range(4)] + [rng.standard_normal((4, 4))]
        self.skip = skip

    def __call__(self, inputs: list[tf.Tensor], z: tf.Tensor, *, only_through_depth: bool = False) -> tf.Tensor:
        def edge(i: int, x: tf.Tensor) -> tf.Tensor:
            return z[i] * (x if self.skip and i == 4 else normalized(tf.nn.relu(x) @ self.kernels[i]))

        first = edge(0, inputs[0]) + edge(1, inputs[1])
        second = edge(2, inputs[0]) + edge(3, inputs[1]) + edge(4, first)
        return tf.concat([tf.stop_gradient(first) if only_through_depth else first, second], axis=-1)


def costs(num_cells: int, *, skip: bool = False, **arguments: bool) -> tuple[np.ndarray, np.ndarray]:
    """Costs of the edges of each cell, `(num_cells, 5)`, and the logits."""
    rng = np.random.default_rng(0)
    x = tf.constant(rng.standard_normal((32, 3, 3, 4)))
    z = tf.Variable(np.ones((num_cells, 5)))
    head = rng.standard_normal((8, 3))
    with tf.GradientTape() as tape:
        inputs = [x, tf.reverse(x, [1])]
        for k in range(num_cells):
            inputs = [normalized(tf.nn.relu(t) @ rng.standard_normal((t.shape[-1], 4))) for t in inputs]
            out = Cell(rng, 4, skip=skip)(inputs, z[k], **arguments)
            inputs = [out, out]
        logits = tf.reduce_mean(out, axis=(1, 2)) @ head
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(LABELS, logits))
    return (z * tape.gradient(loss, z)).numpy(), logits.numpy()


def test_no_cost_passes_through_an_intermediate_edge() -> None:  # T1
    found, _ = costs(1, only_through_depth=True)
    assert abs(found[0, 0] + found[0, 1]) < 1e-9
    assert abs(found[0, 0]) > 1e-4  # each alone is not 0
    found, _ = costs(1, only_through_depth=True, skip=True)
    assert abs(found[0, 0] + found[0, 1]) > 1e-4  # a skip connection is not scale invariant


def test_the_costs_of_a_cell_are_the_loss_minus_the_entropy() -> None:  # T2
    found, logits = costs(1)
    assert found.sum() == pytest.approx(np.mean(wiring.loss_minus_entropy(logits, LABELS)), abs=1e-8)


def test_only_the_last_of_stacked_cells_carries_cost() -> None:  # T3
    found, logits = costs(3)
    np.testing.assert_allclose(found[:2].sum(axis=1), 0.0, atol=1e-8)
    assert np.abs(found[:2]).max() > 1e-4
    assert found.sum() == pytest.approx(np.mean(wiring.loss_minus_entropy(logits, LABELS)), abs=1e-8)


def test_loss_minus_entropy_and_its_signs() -> None:  # sign lemmas
    logits = np.random.default_rng(0).standard_normal((200, 5))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = np.arange(200) % 5
    expected = -np.log(p[np.arange(200), labels]) + (p * np.log(p)).sum(axis=1)
    np.testing.assert_allclose(wiring.loss_minus_entropy(logits, labels), expected, atol=1e-12)
    assert (wiring.loss_minus_entropy(logits, logits.argmax(axis=1)) <= 0).all()
    assert (wiring.loss_minus_entropy(logits, logits.argmin(axis=1)) >= 0).all()
    every = [wiring.loss_minus_entropy(logits, np.full(200, label)) for label in range(5)]
    assert (np.mean(every, axis=0) >= 0).all()  # labels that are uniform, whatever is predicted


def test_shapes_are_checked() -> None:
    with pytest.raises(ValueError, match=r"Received: logits of shape \(2,\), labels of shape \(2,\)"):
        wiring.loss_minus_entropy(np.zeros(2), np.zeros(2, int))


def test_split_by_correctness() -> None:
    found = wiring.split_by_correctness(np.array([[2.0, 0.0], [2.0, 0.0], [0.0, 2.0]]), np.array([0, 0, 1]))
    assert (found["num_correct"], found["num_wrong"]) == (3, 0)
    assert found["correct"] < 0
    assert np.isnan(found["wrong"])


def test_divergence() -> None:
    assert wiring.divergence({"a": 0.5, "b": 0.5}, {"b": 0.5, "a": 0.5}) == 0.0
    assert wiring.divergence({"a": 1.0, "b": 0.0}, {"a": 0.5, "b": 0.5}) == pytest.approx(np.log(2))


def cell(inner: float, outer: float, other: str = "conv") -> dict[str, dict[str, float]]:
    edges = {"edge_1_from_0": outer, "edge_2_from_0": outer, "edge_2_from_1": inner}
    return {edge: {"none": none, other: 1 - none} for edge, none in edges.items()}


@pytest.mark.parametrize(
    ("probabilities", "gaps", "words"),
    [
        (cell(0.2, 0.2), [-1.0, -1.0, -1.0], []),
        (cell(0.2, 0.2), [0.1, 0.1], []),
        (cell(0.1, 0.1, other="skip_connect"), [], ["skip connections"]),
        (cell(0.9, 0.9), [], ["being emptied"]),
        (cell(0.2, 0.2), [-1.0, 0.1, 0.1, 0.1], ["too sure of held-out"]),
        (cell(0.6, 0.1), [], ["what depth is worth"]),
    ],
)
def test_alerts(probabilities: dict[str, dict[str, float]], gaps: list[float], words: list[str]) -> None:
    found = wiring.alerts(probabilities, gaps)
    assert len(found) == len(words)
    for alert, word in zip(found, words):
        assert word in alert


@pytest.mark.parametrize(
    ("kept", "words"),
    [
        ({"a": ["conv"], "b": ["skip_connect"]}, []),
        ({"a": ["0/skip_connect", "1/Skip"], "b": ["1/conv"]}, ["a skip connection in 2 of 3 places"]),
        ({"a": ["none"], "b": ["none"], "c": ["skip"]}, ["'none' in 2 of 3 places"]),
    ],
)
def test_alerts_of_what_is_kept(kept: dict[str, list[str]], words: list[str]) -> None:
    found = wiring.alerts_of_kept(kept)
    assert len(found) == len(words)
    for alert, word in zip(found, words):
        assert word in alert
