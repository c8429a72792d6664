# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Learning to steer
#
# Nobody knows the equations of a machine, but it can be tried. Neural-iLQR (arXiv 2011.10737) learns from such trials
# how states answer to actions, by a small network, and hands the derivatives of that network to iLQR, a classical
# solver. The network is found by `SearchModel`: a search does not need pictures, nor classes.
#
# Install with `pip install '.[all]'` in a checkout. Set the environment variable `KERAS_DHA_TINY=1` to run everything
# in about a minute, just to see that it runs.

# %%
import os
import time

import matplotlib.pyplot as plt
import numpy as np

import keras_dha
from keras_dha.control import (
    ILQR,
    Measurements,
    NeuralILQR,
    Training,
    Vehicle,
    cart_pole_swing_up,
    searched_network,
    vehicle_tracking,
)
from keras_dha.control.measurements import random_rollouts

tiny = os.environ.get("KERAS_DHA_TINY") == "1"
settings = {"trials": 30, "iterations": 12, "training": Training(first_epochs=30)} if tiny else {}

# %% [markdown]
# ## The task
#
# A car stands at the origin. It is to come to the line 10 metres to its right, and to drive along it at 8 metres a
# second, with gentle steering: a `Task` is a system, a cost, a start and a number of steps. Doing nothing costs 16400.
# Whoever knows the equations exactly comes to 4503.

# %%
task = vehicle_tracking()
nothing = task.rollout(np.zeros((task.num_steps, 2)))
exact = ILQR().solve(task)
print(f"nothing {nothing.cost:.1f}, exact equations {exact.trajectory.cost:.1f}")

# %% [markdown]
# ## Equations that are a fifth off
#
# Now the car is believed to take steps of 0.12 seconds, where they are of 0.1. The plan looks cheaper than it can be;
# its actions, done blindly, are not. With the feedback that iLQR gives along the way, the same plan does nearly as well
# as the best one: say which of them you compare with.

# %%
wrong = ILQR().solve(vehicle_tracking(Vehicle(step_seconds=0.12)))
plan = wrong.trajectory
blind, guided = task.rollout(plan.actions), task.rollout(plan.actions, plan, wrong.gains)
print(f"planned {plan.cost:.1f}, open loop {blind.cost:.1f}, with feedback {guided.cost:.1f}")

# %% [markdown]
# ## Measurements
#
# Random actions, a few dozen times from the same start. A row says: in this state, that action, then this state.

# %%
seen = Measurements(settings.get("trials", 100))
seen.add(random_rollouts(task, settings.get("trials", 100), np.random.default_rng(0)))
states, actions, later = seen.transitions()
print(f"{len(states)} rows, states {states.shape[1]}, actions {actions.shape[1]}")

# %% [markdown]
# ## Which network?
#
# `DenseSpace` asks how many hidden layers there are, how wide each is, and with which activation. It says
# `classifies=False`: so `SearchModel` minimizes the squared error, shows the absolute one, cuts its held-out part
# without classes, and leaves the augmentation of images out. That is all there is to a regression.

# %%
space = keras_dha.spaces.DenseSpace((6,), 4, widths=(32, 64) if tiny else (32, 64, 128), depths=(1, 2))
for choice in space.choices():
    print(f"{choice.name}: {', '.join(choice.options)}")

# %%
network, search = searched_network(states, actions, later, space=space, epochs=4 if tiny else 30)
print({name: kept[0] for name, kept in search.decisions().items()})
network.summary()

# %% [markdown]
# ## Neural-iLQR
#
# Each iteration asks the network how the states along the best trajectory answer to actions, solves the
# linear-quadratic problem that this makes, and tries the answer on the car itself. So a wrong network costs trials,
# never a worse trajectory. Where nothing is gained, the car is tried around the best trajectory, and the network is
# trained on.

# %%
solver = NeuralILQR(network, **settings)
started = time.process_time()
solution = solver.solve(task)
print(
    f"cost {solution.trajectory.cost:.1f} after {len(solution.costs) - 1} iterations, {solution.num_rollouts} trials, "
    f"{time.process_time() - started:.0f} s of the processor"
)

# %%
figure, (plane, fall) = plt.subplots(1, 2, figsize=(10, 3.4))
drawn = {
    "exact equations": (exact.trajectory, "k"),
    "learned": (solution.trajectory, "C0"),
    "a fifth off, open loop": (blind, "C3"),
    "a fifth off, feedback": (guided, "C1"),
}
for name, (trajectory, color) in drawn.items():
    line = {"k": "-", "C0": "--", "C3": "-", "C1": ":"}[color]
    plane.plot(*trajectory.states[:, :2].T, line, color=color, label=f"{name}: {trajectory.cost:.0f}")
plane.axhline(-10.0, color="lightgray", zorder=0)
plane.set(xlabel="metres ahead", ylabel="metres to the left")
plane.legend(fontsize=8)
fall.plot(solution.costs, label="learned")
fall.plot(exact.costs, "k", label="exact equations")
fall.axhline(blind.cost, color="C3", label="a fifth off, open loop")
fall.set(xlabel="iteration", ylabel="cost", yscale="log")
fall.legend(fontsize=8)
figure.tight_layout()
plt.show()

# %% [markdown]
# ## A pole that hangs
#
# The second task is harder: a cart pushes a pole until it stands, within three seconds. Errors of the derivatives add
# up over 150 steps of something that wants to fall. Here the network is the default, two layers of tanh.

# %%
task = cart_pole_swing_up()
exact = ILQR(iterations=30 if tiny else 500).solve(task)
started = time.process_time()
solver = NeuralILQR(**settings)
solution = solver.solve(task)
print(
    f"cost {solution.trajectory.cost:.1f} (exact equations {exact.trajectory.cost:.1f}), "
    f"angle at the end {solution.trajectory.states[-1, 0]:.3f}, {solution.num_rollouts} trials, "
    f"{time.process_time() - started:.0f} s of the processor"
)

# %%
figure, (swing, angles) = plt.subplots(1, 2, figsize=(10, 3.4))
states = solution.trajectory.states
for t in range(0, task.num_steps, 6):
    angle, _, place, _ = states[t]
    shade = plt.cm.viridis(t / task.num_steps)
    swing.plot([place, place + np.sin(angle)], [0.0, np.cos(angle)], color=shade)  # twice the half length
    swing.plot(place, 0.0, "s", color=shade, markersize=5)
swing.set(xlabel="metres", ylabel="metres", title="dark: at the start")
swing.set_aspect("equal")
seconds = task.system.step_seconds * np.arange(task.num_steps)
angles.plot(seconds, exact.trajectory.states[:, 0], "k", label="exact equations")
angles.plot(seconds, states[:, 0], "C0--", label="learned")
angles.axhline(0.0, color="lightgray", zorder=0)
angles.set(xlabel="seconds", ylabel="angle, radians")
angles.legend(fontsize=8)
figure.tight_layout()
plt.show()

# %% [markdown]
# ## How good the derivatives are
#
# Along the trajectory that was found: how the next turning speed answers to the angle, and to the force. The solver
# never saw the equations.

# %%
learned = solver.dynamics.jacobian(solution.trajectory.states, solution.trajectory.actions)
true = task.system.jacobian(solution.trajectory.states, solution.trajectory.actions)
print(f"mean error {np.abs(learned - true).mean():.4f}, mean size {np.abs(true - np.eye(4, 5)).mean():.4f}")

figure, axes = plt.subplots(1, 2, figsize=(10, 2.8))
for panel, column, name in zip(axes, (0, 4), ("angle", "force")):
    panel.plot(seconds, true[:, 1, column], "k", label="equations")
    panel.plot(seconds, learned[:, 1, column], "C0--", label="learned")
    panel.set(xlabel="seconds", title=f"turning speed by {name}")
    panel.legend(fontsize=8)
figure.tight_layout()
plt.show()

# %% [markdown]
# A `Task` of your own needs a `Dynamics` with a `step`, which may be a simulator, or a machine; and a `QuadraticCost`.
# The figures of several seeds, and the commands that make them, are in docs/control.md.
