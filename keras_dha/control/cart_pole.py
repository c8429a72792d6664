"""A pole on a cart."""

import numpy as np

from keras_dha.control.dynamics import Dynamics
from keras_dha.control.physical_numbers import check_positive

GRAVITY = 9.8  # metres a second squared


class CartPole(Dynamics):
    """A pole on a cart that a force pushes, `x = (th, om, px, v)`, `u = (F,)`; the pole stands at `th = 0`.

    With `m = mc + mp`, by steps of Euler:

        gm  = (F + mp l om^2 sin th) / m
        om' = (g sin th - cos th gm) / (l (4/3 - mp cos^2 th / m))
        v'  = gm - mp l om' cos th / m

    Args:
        step_seconds: Seconds. Defaults to 0.02.
        cart_mass: `mc`, kilograms. Defaults to 1.
        pole_mass: `mp`, kilograms. Defaults to 0.1.
        half_length: `l`, half the length of the pole, metres. Defaults to 0.5.

    Call arguments:
        states: Radians, radians a second, metres, metres a second.
        actions: Newtons.

    Output shape:
        That of the states.

    Raises:
        ValueError: If a number is not positive.

    Example:

    >>> CartPole().step(np.zeros(4), np.zeros(1)).tolist()  # it stands
    [0.0, 0.0, 0.0, 0.0]

    Reference: the second task of Neural-iLQR, arXiv 2011.10737, as in its released code.
    """

    num_states, num_actions = 4, 1

    def __init__(
        self,
        *,
        step_seconds: float = 0.02,
        cart_mass: float = 1.0,
        pole_mass: float = 0.1,
        half_length: float = 0.5,
    ) -> None:
        check_positive(step_seconds=step_seconds, cart_mass=cart_mass, pole_mass=pole_mass, half_length=half_length)
        self.step_seconds, self.half_length = float(step_seconds), float(half_length)
        self.mass, self.pole_mass = float(cart_mass + pole_mass), float(pole_mass)

    def step(self, states: np.ndarray, actions: np.ndarray) -> np.ndarray:
        """See the class."""
        states = np.asarray(states, float)
        angle, turning, place, speed = (states[..., i] for i in range(4))
        h, share = self.step_seconds, self.pole_mass * self.half_length / self.mass
        with np.errstate(invalid="ignore", over="ignore"):
            sine, cosine = np.sin(angle), np.cos(angle)
            push = np.asarray(actions, float)[..., 0] / self.mass + share * turning**2 * sine
            inertia = self.half_length * (4.0 / 3.0) - share * cosine**2
            twist = (GRAVITY * sine - cosine * push) / inertia
            later = np.empty_like(states)
            later[..., 0], later[..., 1] = angle + h * turning, turning + h * twist
            later[..., 2], later[..., 3] = place + h * speed, speed + h * (push - share * twist * cosine)
            return later

    def jacobian(self, states: np.ndarray, actions: np.ndarray) -> np.ndarray:
        """In closed form."""
        angle, turning = np.asarray(states, float)[..., 0], np.asarray(states, float)[..., 1]
        h, share = self.step_seconds, self.pole_mass * self.half_length / self.mass
        sine, cosine = np.sin(angle), np.cos(angle)
        push = np.asarray(actions, float)[..., 0] / self.mass + share * turning**2 * sine
        inertia = self.half_length * (4.0 / 3.0) - share * cosine**2
        twist = (GRAVITY * sine - cosine * push) / inertia
        found = np.zeros((*np.shape(angle), 4, 5))
        found[..., range(4), range(4)] = 1.0
        found[..., 0, 1] = found[..., 2, 3] = h
        pushes = {0: share * turning**2 * cosine, 1: 2.0 * share * turning * sine, 4: 1.0 / self.mass}
        for column, of_push in pushes.items():
            is_angle = float(column == 0)
            of_twist = -cosine * of_push + is_angle * (
                GRAVITY * cosine + sine * push - 2.0 * share * cosine * sine * twist
            )
            of_twist = of_twist / inertia
            found[..., 1, column] += h * of_twist
            found[..., 3, column] += h * (of_push - share * (of_twist * cosine - is_angle * twist * sine))
        return found
