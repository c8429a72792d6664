"""A car on a plane."""

import numpy as np

from keras_dha.control.dynamics import Dynamics
from keras_dha.control.physical_numbers import check_positive


class Vehicle(Dynamics):
    """A car with two axles, `x = (px, py, th, v)`, steered by `u = (w, a)`: angle of the front wheels, acceleration.

    With the way `s = h v` of the front wheels in a step:

        b  = d + s cos w - sqrt(d^2 - s^2 sin^2 w)
        px += b cos th,  py += b sin th,  th += asin(s sin w / d),  v += h a

    Args:
        step_seconds: `h`, seconds. Defaults to 0.1.
        axle_distance: `d`, metres. Defaults to 3.

    Call arguments:
        states: Metres, metres, radians, metres a second.
        actions: Radians, metres a second squared.

    Output shape:
        That of the states; NaN where the front wheels would go further aside in a step than the axles are apart.

    Raises:
        ValueError: If a number is not positive.

    Example:

    >>> Vehicle().step(np.array([0.0, 0.0, 0.0, 10.0]), np.array([0.0, 1.0])).tolist()
    [1.0, 0.0, 0.0, 10.1]

    Reference: the first task of Neural-iLQR, arXiv 2011.10737, as in its released code.
    """

    num_states, num_actions = 4, 2

    def __init__(self, *, step_seconds: float = 0.1, axle_distance: float = 3.0) -> None:
        check_positive(step_seconds=step_seconds, axle_distance=axle_distance)
        self.step_seconds, self.axle_distance = float(step_seconds), float(axle_distance)

    def step(self, states: np.ndarray, actions: np.ndarray) -> np.ndarray:
        """See the class."""
        states, actions = np.asarray(states, float), np.asarray(actions, float)
        x, y, heading, speed = (states[..., i] for i in range(4))
        wheels, acceleration = actions[..., 0], actions[..., 1]
        h, d = self.step_seconds, self.axle_distance
        with np.errstate(invalid="ignore", over="ignore"):
            way = h * speed
            aside = way * np.sin(wheels)
            forward = d + way * np.cos(wheels) - np.sqrt(d**2 - aside**2)
            later = np.empty_like(states)
            later[..., 0], later[..., 1] = x + forward * np.cos(heading), y + forward * np.sin(heading)
            later[..., 2], later[..., 3] = heading + np.arcsin(aside / d), speed + h * acceleration
            return later

    def jacobian(self, states: np.ndarray, actions: np.ndarray) -> np.ndarray:
        """In closed form."""
        heading, speed = np.asarray(states, float)[..., 2], np.asarray(states, float)[..., 3]
        wheels = np.asarray(actions, float)[..., 0]
        h, d = self.step_seconds, self.axle_distance
        sine, cosine, way = np.sin(wheels), np.cos(wheels), h * speed
        root = np.sqrt(d**2 - (way * sine) ** 2)
        forward = d + way * cosine - root
        of_speed = h * (cosine + way * sine**2 / root)
        of_wheels = way * sine * (way * cosine / root - 1.0)
        found = np.zeros((*np.shape(speed), 4, 6))
        found[..., range(4), range(4)] = 1.0
        found[..., 0, 2], found[..., 1, 2] = -forward * np.sin(heading), forward * np.cos(heading)
        for row, part in enumerate((np.cos(heading), np.sin(heading))):
            found[..., row, 3], found[..., row, 4] = of_speed * part, of_wheels * part
        found[..., 2, 3], found[..., 2, 4] = h * sine / root, way * cosine / root
        found[..., 3, 5] = h
        return found
