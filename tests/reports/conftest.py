"""A finished run made by hand."""

import numpy as np
import pytest

from keras_dha.reports import RunRecord

NAS_BENCH_201 = {
    "edge_1_from_0": ["nor_conv_3x3"],
    "edge_2_from_0": ["none"],
    "edge_2_from_1": ["skip_connect"],
    "edge_3_from_0": ["nor_conv_1x1"],
    "edge_3_from_1": ["skip_connect"],
    "edge_3_from_2": ["avg_pool_3x3"],
}


def make_record(**parts):
    """Two epochs of search, one of settling; `parts` replace fields."""
    fields = {
        "result": {
            "data": {"name": "tiny", "train_examples": 1234, "test_examples": 20, "shape": [4, 4, 1], "classes": 2},
            "test": {"accuracy": 0.875, "loss": 0.5},
            "parameters": 12345,
            "seed": 7,
            "epochs": {"search": 2, "settle": 1},
            "seconds": {"search": 50.0, "total": 125.0},
            "hyperparameters": {"learning_rate": 0.0125},
            "arguments": {"space": "nas_bench_201", "recipe": "dha"},
            "command": "keras-dha search --data digits --out runs/tiny",
            "versions": {"keras": "3.15.1"},
            "ended": "2026-01-02T03:04:05+00:00",
        },
        "history": {
            "epoch": np.array([1.0, 2.0, 3.0]),
            "phase": np.array([0.0, 0.0, 1.0]),
            "loss": np.array([2.0, 1.0, 0.5]),
            "held_out_loss": np.array([2.1, 1.1, np.nan]),
            "accuracy": np.array([0.1, 0.5, 0.9]),
            "entropy": np.array([1.0, 0.8, 0.8]),
            "learning_rate": np.array([0.1, 0.05, 0.01]),
            "weight_decay": np.array([5e-4, 6e-4, 6e-4]),
        },
        "decisions": NAS_BENCH_201,
        "probabilities": {name: {kept[0]: 0.75, "other": 0.25} for name, kept in NAS_BENCH_201.items()},
        "policy_before": {"operations": ["Rotate", "Color"], "probabilities": [[0.25, 0.25], [0.25, 0.25]]},
        "policy_after": {"operations": ["Rotate", "Color"], "probabilities": [[0.1, 0.2], [0.3, 0.4]]},
        "samples": {
            "originals": np.zeros((2, 4, 4, 1), np.uint8),
            "augmented": np.full((2, 3, 4, 4, 1), 255, np.uint8),
            "labels": np.array(["zero", "one"]),
        },
    }
    return RunRecord(**{**fields, **parts})


@pytest.fixture
def record():
    return make_record


@pytest.fixture
def decisions():
    return NAS_BENCH_201
