import keras
import numpy as np
import pytest
from keras import ops

from keras_dha.costs import SpaceCost
from keras_dha.penalties import CostTarget, ExpectedCost, OpenChannels
from keras_dha.relaxations import ScaledSigmoid
from keras_dha.spaces import GatedSpace


def space() -> GatedSpace:
    layers = [keras.Input((8, 8, 1)), keras.layers.Conv2D(16, 3, name="a"), keras.layers.Conv2D(16, 3, name="b")]
    return GatedSpace(keras.Sequential([*layers, keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(4)]))


SPACE = space()


def gates(logits: float | np.ndarray = 0.0, share: float = 0.0) -> dict:
    found = {choice.name: ScaledSigmoid(seed=0).for_choice(choice) for choice in SPACE.choices()}
    for relaxation in found.values():
        relaxation.build()
        relaxation.logits.assign(np.zeros(16) + logits)
        relaxation.step(share)
    return found


def soft(relaxations: dict, kind: str = "multiply_adds") -> float:
    cost = SpaceCost(SPACE, kind)
    return float(cost({name: part(part.logits) for name, part in relaxations.items()})) / cost.most


def hard(relaxations: dict, kind: str = "multiply_adds") -> float:
    cost = SpaceCost(SPACE, kind)
    kept = [ops.convert_to_numpy(relaxations[name].harden(relaxations[name].logits)) for name in cost.names]
    return cost.of_hard(np.concatenate(kept)) / cost.most


@pytest.mark.parametrize("share", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("bound", [0.2, 0.5, 0.9])
def test_a_step_brings_soft_gates_to_the_bound_from_either_side(bound: float, share: float) -> None:
    target, rng = CostTarget(max_multiply_adds=bound), np.random.default_rng(0)
    parts = gates(rng.normal(0.0, 0.02, 16), share)
    target.prepare(parts, SPACE)
    target.step(parts, np.array(True))
    assert soft(parts) == pytest.approx(bound, rel=1e-3)


def test_nothing_moves_where_the_gates_did_not() -> None:
    target, parts = CostTarget(max_multiply_adds=0.5), gates(0.3)
    target.prepare(parts, SPACE)
    target.step(parts, np.array(False))
    np.testing.assert_array_equal(parts["a"].logits.numpy(), np.float32(0.3))


def test_the_order_within_a_width_stays_and_the_dear_one_pays() -> None:
    target, logits = CostTarget(max_multiply_adds=0.2), np.linspace(0.0, 0.01, 16)
    parts = gates(logits)
    target.prepare(parts, SPACE)
    target.step(parts, np.array(True))
    for part in parts.values():
        assert np.all(np.diff(part.logits.numpy()) > 0)
    assert np.mean(parts["a"].logits.numpy()) < np.mean(parts["b"].logits.numpy())


@pytest.mark.parametrize(("kind", "bound"), [("multiply_adds", 0.5), ("parameters", 0.3), ("parameters", 1000)])
def test_what_is_kept_fits_and_is_near_the_bound(kind: str, bound: float) -> None:
    target, rng = CostTarget(**{f"max_{kind}": bound}), np.random.default_rng(1)
    parts = gates(rng.normal(size=16))
    target.prepare(parts, SPACE)
    before = {name: part.logits.numpy() for name, part in parts.items()}
    target.finish(parts)
    share = bound if bound <= 1 else bound / SpaceCost(SPACE, kind).most
    assert 0.9 * share <= hard(parts, kind) <= share  # a channel is a twentieth of so small a network
    for name, part in parts.items():
        kept = ops.convert_to_numpy(part.harden(part.logits)) > 0
        assert kept.any()
        assert kept[np.argmax(before[name])]


@pytest.mark.parametrize("bound", [0.3, 0.5, 0.7])
def test_multiples_are_kept_of_the_best_channels(bound: float) -> None:
    space = GatedSpace(SPACE.model, multiple_of=4)
    rng, parts = np.random.default_rng(0), {}
    for choice in space.choices():
        parts[choice.name] = ScaledSigmoid(seed=0).for_choice(choice)
        parts[choice.name].build()
        parts[choice.name].logits.assign(rng.normal(0.0, 1.0, 16))
    target = CostTarget(max_multiply_adds=bound)
    target.prepare(parts, space)
    before = {name: part.logits.numpy() for name, part in parts.items()}
    target.finish(parts)
    kept = {name: part.harden(part.logits).numpy() > 0 for name, part in parts.items()}
    for name, own in kept.items():
        assert own.sum() in (4, 8, 12, 16)
        assert before[name][own].min() > max(before[name][~own], default=-np.inf)
    cost = SpaceCost(space)

    def share(counts: dict) -> float:
        return cost.of_hard(np.concatenate([np.arange(16) < counts[name] for name in cost.names])) / cost.most

    counts = {name: int(own.sum()) for name, own in kept.items()}
    assert share(counts) <= bound
    larger = [{**counts, name: number + 4} for name, number in counts.items() if number < 16]
    assert all(share(more) > bound for more in larger)  # nothing that fits is left out


def test_both_bounds_hold() -> None:
    target = CostTarget(max_multiply_adds=0.6, max_parameters=0.3)
    parts = gates(np.random.default_rng(2).normal(size=16))
    target.prepare(parts, SPACE)
    target.finish(parts)
    assert hard(parts) <= 0.6
    assert 0.27 <= hard(parts, "parameters") <= 0.3


def test_a_bound_out_of_reach_says_what_is_least() -> None:
    with pytest.raises(
        ValueError, match=r"max_parameters must be within reach\. Received: 10, of 2548 .* there are 28\."
    ):
        CostTarget(max_parameters=10).prepare(gates(), SPACE)


def test_numbers_are_checked() -> None:
    with pytest.raises(ValueError, match="Received: max_multiply_adds=None, max_parameters=None"):
        CostTarget()
    with pytest.raises(ValueError, match=r"Received: max_multiply_adds=-0\.5"):
        CostTarget(max_multiply_adds=-0.5)
    with pytest.raises(ValueError, match="Received: kind='energy'"):
        ExpectedCost(kind="energy")
    for penalty in (CostTarget(max_parameters=0.5), ExpectedCost()):
        with pytest.raises(ValueError, match="Received: space=None"):
            penalty.prepare(gates())


def test_expected_cost_is_the_share_of_sigmoids_whatever_the_scale() -> None:
    parts = gates(0.0, share=1.0)
    pull = ExpectedCost(2.0)
    pull.prepare(parts, SPACE)
    # Half of a, a quarter of b, half of the last layer: 36 * 9 * 16 / 2 + 16 * 9 * 256 / 4 + 64 / 2.
    assert float(pull.value(parts, 0.0)) == pytest.approx(2.0 * (2592 + 9216 + 32) / (5184 + 36864 + 64), rel=1e-5)


def test_open_channels_counts_them_without_the_scale() -> None:
    parts = gates(np.array([9.0, -9.0] * 8), share=1.0)
    assert float(OpenChannels(0.5).value(parts, 0.0)) == pytest.approx(0.5 * 16.0, rel=1e-3)
