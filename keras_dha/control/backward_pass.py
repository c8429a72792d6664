"""From derivatives along a trajectory to how its actions should change."""

import numpy as np

from keras_dha.control.task import Gains

_SMALLEST = 1e-9  # where an action has no cost and no consequence, as the last one may, any change is as good


def backward_pass(dynamics: np.ndarray, hessians: np.ndarray, slopes: np.ndarray, *, damping: float = 0.0) -> Gains:
    """The gains of iLQR, by dynamic programming from the last step to the first.

    With `V = 0`, `v = 0` behind the last step, and blocks of `x` and `u`:

        Q = C_t + F_t' V F_t,  q = c_t + F_t' v
        K = -(Quu + damping I)^-1 Qux,  k = -(Quu + damping I)^-1 qu
        V = Qxx + Qux' K + K' Qux + K' Quu K
        v = qx + Qux' k + K' qu + K' Quu k

    Args:
        dynamics: `F`, shape `(num_steps, num_states, num_states + num_actions)`.
        hessians: `C`, shape `(num_steps, k, k)`.
        slopes: `c`, shape `(num_steps, k)`.
        damping: Number from 0: the larger, the smaller the changes, as in Levenberg's method.

    Returns:
        `K` and `k`. Not finite if the dynamics are not.

    Reference: Li and Todorov, "Iterative Linear Quadratic Regulator Design for Nonlinear Biological Movement Systems",
    2004; with second derivatives of the cost, but not of the dynamics.
    """
    num_steps, n, _ = dynamics.shape
    value, gradient = np.zeros((n, n)), np.zeros(n)
    feedback, change = np.empty((num_steps, hessians.shape[1] - n, n)), np.empty((num_steps, hessians.shape[1] - n))
    ridge = (damping + _SMALLEST) * np.eye(change.shape[1])
    for t in reversed(range(num_steps)):
        q_matrix = hessians[t] + dynamics[t].T @ value @ dynamics[t]
        q_vector = slopes[t] + dynamics[t].T @ gradient
        of_states, of_both, of_actions = q_matrix[:n, :n], q_matrix[n:, :n], q_matrix[n:, n:]
        inverse = np.linalg.inv(of_actions + ridge)
        feedback[t], change[t] = -inverse @ of_both, -inverse @ q_vector[n:]
        crossed = of_both.T @ feedback[t]
        value = of_states + crossed + crossed.T + feedback[t].T @ of_actions @ feedback[t]
        gradient = q_vector[:n] + of_both.T @ change[t]
        gradient = gradient + feedback[t].T @ (q_vector[n:] + of_actions @ change[t])
    return Gains(feedback, change)
