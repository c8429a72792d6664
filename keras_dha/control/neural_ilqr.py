"""iLQR on a system whose equations nobody knows."""

import dataclasses

import keras
import numpy as np

from keras_dha.control.ilqr import LineSearch, Solution, gains_at
from keras_dha.control.learned_dynamics import LearnedDynamics
from keras_dha.control.measurements import Measurements, random_rollouts
from keras_dha.control.network_search import dense_network, searched_network
from keras_dha.control.smoothing import smoothed
from keras_dha.control.task import Gains, Task, Trajectory
from keras_dha.spaces import SearchSpace


@dataclasses.dataclass(frozen=True)
class Training:
    """How the network of `NeuralILQR` is trained.

    Args:
        first_epochs: At the start, and whenever the measurements have got another scale. Defaults to 60.
        more_epochs: When measurements have been refreshed. Defaults to 8.
        learning_rate: Of Adam. Defaults to 2e-3.
        batch_size: Defaults to 256.
        search_epochs: Of the search, where a space is given. Defaults to 30.
    """

    first_epochs: int = 60
    more_epochs: int = 8
    learning_rate: float = 2e-3
    batch_size: int = 256
    search_epochs: int = 30


class NeuralILQR:
    """Neural-iLQR: only the derivatives of the dynamics are learned, trajectories are run on the real system.

    A network is trained on `trials` rollouts of random actions. Then each iteration answers the linear-quadratic
    problem at the best trajectory, with the network's Jacobians, smoothed along the time, and tries the answer on the
    system. Where this does not lower the cost by more than a share of `tolerance`, the rollouts that did, and `probes`
    more, of noisy actions with feedback around the best trajectory, take the place of the oldest, and the network is
    trained on. No model is asked what a trajectory costs, so that the cost never rises.

    Args:
        network: A Keras model from `num_states + num_actions` numbers to `num_states`, whose weights are where training
            starts: it is trained in place. Or a `SearchSpace` of such models, which is searched on the first rollouts.
            None: two layers of tanh, of 128 and 64 units.
        iterations: How often at most the best trajectory is to be improved. Defaults to 100.
        trials: How many rollouts are measured first, and are kept. Defaults to 100.
        probes: How many are measured around the best trajectory where it does not improve. Defaults to 5.
        smoothing: The deviation of the Gaussian that smooths Jacobians, in steps. Defaults to 5.
        tolerance: What share of the cost an iteration has to save. Defaults to 1e-3.
        patience: The search ends after so many iterations in a row that save less. Defaults to 10.
        training: Defaults to `Training()`.
        line_search: Defaults to `LineSearch()`.
        seed: Of rollouts, weights and the order of training. Defaults to 0.

    Attributes:
        dynamics: The `LearnedDynamics` of the last `solve`.
        search: The `SearchModel` of it, if a space was given.

    Example:

    ```python
    task = keras_dha.control.cart_pole_swing_up()
    solution = keras_dha.control.NeuralILQR().solve(task)
    solution.trajectory.states, solution.costs
    ```

    Reference: Cheng et al., "Neural-iLQR: A Learning-Aided Shooting Method for Trajectory Optimization", arXiv
    2011.10737, and its released code. There, a network predicts the next state of raw data, is trained until an error
    that is made smaller in each iteration, and iterations go on with a cost that falls by 1e-6; probes are one, without
    feedback, and only where nothing had improved. Ours predicts standardized changes, for numbers of epochs that are
    given, and takes the scales anew when a deviation has changed by a factor of 2.
    """

    def __init__(
        self,
        network: keras.Model | SearchSpace | None = None,
        *,
        iterations: int = 100,
        trials: int = 100,
        probes: int = 5,
        smoothing: float = 5.0,
        tolerance: float = 1e-3,
        patience: int = 10,
        training: Training | None = None,
        line_search: LineSearch | None = None,
        seed: int = 0,
    ) -> None:
        counts = {"iterations": iterations, "trials": trials, "probes": probes, "patience": patience}
        for name, value in counts.items():
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} must be a positive integer. Received: {name}={value!r}. Leave it out.")
        if not 0.0 <= tolerance < 1.0:
            raise ValueError(
                f"tolerance must be a share of the cost, from 0 to 1. Received: tolerance={tolerance}. Leave it out."
            )
        self.network, self.seed = network, int(seed)
        self.iterations, self.trials, self.probes, self.patience = iterations, trials, probes, patience
        self.smoothing, self.tolerance = float(smoothing), float(tolerance)
        self.training, self.line_search = training or Training(), line_search or LineSearch()
        self.dynamics: LearnedDynamics | None = None
        self.search: keras.Model | None = None

    def solve(self, task: Task, actions: np.ndarray | None = None) -> Solution:
        """A trajectory of low cost, from measurements of the system alone.

        Args:
            task: What is asked. Of its system only `step` is used.
            actions: Where to start, shape `(num_steps, num_actions)`. Default: zeros.
        """
        rng = np.random.default_rng(self.seed)
        keras.utils.set_random_seed(self.seed)
        seen = Measurements(self.trials)
        seen.add(random_rollouts(task, self.trials, rng))
        self.dynamics = model = self._model(task, seen)
        self._train(model, seen)
        begin = np.zeros((task.num_steps, task.system.num_actions)) if actions is None else actions
        best, rollouts, fresh = task.rollout(begin), self.trials + 1, list[Trajectory]()
        costs, idle = [best.cost], 0
        gains = self._gains(task, model, best)
        while len(costs) <= self.iterations and idle < self.patience:
            before, idle = best, idle + 1
            best, tries = self.line_search.better(task, best, gains)
            rollouts += tries
            costs.append(best.cost)
            if best is not before:
                fresh.append(best)
            if best is not before and before.cost - best.cost > self.tolerance * before.cost:
                idle = 0
            else:
                fresh += self._probe(task, best, gains, rng)
                rollouts += self.probes
                seen.add(fresh)
                fresh = []
                self._train(model, seen)
            gains = self._gains(task, model, best)
        return Solution(best, gains, costs, rollouts)

    def _model(self, task: Task, seen: Measurements) -> LearnedDynamics:
        num_states, num_actions = task.system.num_states, task.system.num_actions
        network, self.search = self.network, None
        if isinstance(network, SearchSpace):
            epochs = self.training.search_epochs
            network, self.search = searched_network(*seen.transitions(), space=network, epochs=epochs, seed=self.seed)
        return LearnedDynamics(
            network or dense_network(num_states + num_actions, num_states),
            num_states,
            learning_rate=self.training.learning_rate,
            batch_size=self.training.batch_size,
            seed=self.seed,
        )

    def _train(self, model: LearnedDynamics, seen: Measurements) -> None:
        rows = seen.transitions()
        model.fit(*rows, epochs=self.training.first_epochs if model.adapt(*rows) else self.training.more_epochs)

    def _gains(self, task: Task, model: LearnedDynamics, best: Trajectory) -> Gains:
        return gains_at(task, best, smoothed(model.jacobian(best.states, best.actions), self.smoothing))

    def _probe(self, task: Task, best: Trajectory, gains: Gains, rng: np.random.Generator) -> list[Trajectory]:
        """Noisy rollouts; feedback keeps those near the best trajectory that would fall from it."""
        noise = rng.normal(0.0, task.noise, (self.probes, *best.actions.shape))
        return [task.rollout(best.actions + one, best, gains) for one in noise]
