"""The callback, on a real search of a second or two."""

import numpy as np
from tiny_space import TinySpace, images

import keras_dha
from keras_dha import SearchModel
from keras_dha.diagnostics import WiringEvolution
from keras_dha.relaxations import Softmax

X, Y = images()


def test_it_records_every_epoch_of_the_search_and_leaves_the_model_alone() -> None:
    histories = []
    watch, said = WiringEvolution((X[:20], Y[:20]), (X[20:40], Y[20:40]), warn=lambda alert: said.append(alert)), []
    for callbacks in ([], [watch]):
        model = SearchModel(TinySpace(), keras_dha.recipes.darts(), relaxation=Softmax(), seed=0)
        histories.append(model.fit(X, Y, batch_size=16, epochs=4, verbose=0, callbacks=callbacks).history)
    assert histories[0] == histories[1]
    assert [record["epoch"] for record in watch.records] == [0, 1]
    last = watch.records[-1]
    assert set(last["edges"]) == {"edge", "node/0", "node/1"}
    assert last["edges"]["edge"]["divergence"] > 0
    assert last["edges"]["edge"]["none"] == 0.0
    for part in ("training", "held_out"):
        assert set(last[part]["costs"]["edge"]) == {"conv", "point", "skip"}
        assert np.isfinite(last[part]["gap"])
        assert last[part]["num_correct"] + last[part]["num_wrong"] == 20
    assert list(watch.alerts) == said
