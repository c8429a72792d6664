"""Watches how wiring evolves."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from keras_dha.diagnostics import wiring


class WiringEvolution(keras.callbacks.Callback):
    """Records, after each epoch of a search, what every option costs, and warns in words when wiring goes wrong.

    Costs are taken on the same probe examples each time: `C = w * dL/dw`, summed over the places where a choice acts.
    With a relaxation that draws, options that were not drawn cost 0.

    Args:
        training: Images and labels `(x, y)` that the search trains on; a few hundred are enough.
        held_out: The same of examples that it does not train on; None to leave them out.
        patience: Epochs in a row that make a held-out gap an alert. Defaults to 3.
        warn: Called with each alert when it first appears, such as `print`; None to keep them in `alerts` only.

    Attributes:
        records: One an epoch: `epoch`, `probabilities`, `edges` (probability of none and skip, entropy, divergence from
            the epoch before), and for each part `costs` (choice to option to cost), `gap`, the mean of `L - H`, its
            split into correct and wrong, and `identity_gap`, how far costs and gap are apart.
        alerts: Alert to the epoch in which it first appeared.

    Example:

    ```python
    watch = keras_dha.diagnostics.WiringEvolution((x_train[:256], y_train[:256]), (x_test[:256], y_test[:256]))
    model.fit(x_train, y_train, epochs=40, callbacks=[watch])
    watch.alerts
    ```

    Reference: Xie et al., https://arxiv.org/abs/2009.01272.
    """

    def __init__(
        self,
        training: tuple[Any, Any],
        held_out: tuple[Any, Any] | None = None,
        *,
        patience: int = 3,
        warn: Any = None,
    ) -> None:
        super().__init__()
        self._probes = {"training": training, **({} if held_out is None else {"held_out": held_out})}
        self._patience = patience
        self._warn = warn
        self.records: list[dict[str, Any]] = []
        self.alerts: dict[str, int] = {}

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Measures; when the search is over, looks at what it keeps."""
        if not self.model.probabilities():
            return
        if self.model.settled:
            self._alert(wiring.alerts_of_kept(self.model.decisions()), epoch)
            return
        record: dict[str, Any] = {"epoch": epoch, "probabilities": self.model.probabilities()}
        record["edges"] = self._edges(record["probabilities"])
        for name, (x, y) in self._probes.items():
            costs, logits = self.model.option_costs(x, y)
            gap = wiring.loss_minus_entropy(logits, np.asarray(y))
            total = sum(sum(options.values()) for options in costs.values())
            record[name] = {
                "costs": costs,
                "gap": float(np.mean(gap)),
                "identity_gap": abs(total - float(np.mean(gap))),
                **wiring.split_by_correctness(logits, np.asarray(y)),
            }
        self.records.append(record)
        gaps = [past["held_out"]["gap"] for past in self.records if "held_out" in past]
        self._alert(wiring.alerts(record["probabilities"], gaps, patience=self._patience), epoch)

    def _alert(self, alerts: list[str], epoch: int) -> None:
        for alert in alerts:
            if alert not in self.alerts:
                self.alerts[alert] = epoch
                if self._warn is not None:
                    self._warn(alert)

    def _edges(self, probabilities: wiring.Probabilities) -> dict[str, dict[str, float]]:
        edges = wiring.summary(probabilities)
        before = wiring.by_edge(self.records[-1]["probabilities"]) if self.records else {}
        for edge, now in wiring.by_edge(probabilities).items():
            edges[edge]["divergence"] = wiring.divergence(before[edge], now) if before else 0.0
        return edges
