"""Neural-iLQR: networks that learn a system from measurements, inside of a classical solver.

Names that need TensorFlow are loaded when they are first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

from keras_dha.control.backward_pass import backward_pass
from keras_dha.control.cart_pole import CartPole
from keras_dha.control.dynamics import Dynamics
from keras_dha.control.ilqr import ILQR, LineSearch, Solution
from keras_dha.control.measurements import Measurements
from keras_dha.control.quadratic_cost import QuadraticCost
from keras_dha.control.task import Gains, Task, Trajectory, cart_pole_swing_up, vehicle_tracking
from keras_dha.control.vehicle import Vehicle

if TYPE_CHECKING:
    from keras_dha.control.learned_dynamics import LearnedDynamics as LearnedDynamics
    from keras_dha.control.network_search import searched_network as searched_network
    from keras_dha.control.network_search import space_of_dynamics as space_of_dynamics
    from keras_dha.control.neural_ilqr import NeuralILQR as NeuralILQR
    from keras_dha.control.neural_ilqr import Training as Training

__all__ = [
    "ILQR",
    "CartPole",
    "Dynamics",
    "Gains",
    "LearnedDynamics",
    "LineSearch",
    "Measurements",
    "NeuralILQR",
    "QuadraticCost",
    "Solution",
    "Task",
    "Training",
    "Trajectory",
    "Vehicle",
    "backward_pass",
    "cart_pole_swing_up",
    "searched_network",
    "space_of_dynamics",
    "vehicle_tracking",
]

_LATE = {
    "LearnedDynamics": "keras_dha.control.learned_dynamics",
    "NeuralILQR": "keras_dha.control.neural_ilqr",
    "Training": "keras_dha.control.neural_ilqr",
    "searched_network": "keras_dha.control.network_search",
    "space_of_dynamics": "keras_dha.control.network_search",
}


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module 'keras_dha.control' has no attribute {name!r}")
    value = getattr(importlib.import_module(_LATE[name]), name)
    globals()[name] = value
    return value
