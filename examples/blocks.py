"""The building blocks of one training step: forward, cache, backward, optimizer.

Backward takes the incoming gradient and the cache, nothing else; the optimizer sees
weights and gradients alone.
"""

import numpy as np

import matderiv as md

LAYER = "X: (n, d); W: (d, m); b: (m); tanh(X W + b)"
LOSS = "Y: (n, m); T: (n, m); 1/2 ||Y - T||^2"

layer = md.compile(LAYER, ["W", "b"])
loss = md.compile(LOSS, ["Y"])


def optimizer(weights, gradients, rate):
    """Gradient descent."""
    return {name: weights[name] - rate * gradients[name] for name in gradients}


def train(steps, rate=0.01):
    """The losses of a few steps on random data."""
    random = np.random.default_rng(0)
    data = {"X": random.normal(size=(20, 5)), "T": np.tanh(random.normal(size=(20, 3)))}
    weights = {"W": random.normal(size=(5, 3)) / 5, "b": np.zeros(3)}
    losses = []
    for _ in range(steps):
        output, cache = layer.forward({"X": data["X"], **weights})
        value, loss_cache = loss.forward({"Y": output, "T": data["T"]})
        incoming = loss.backward(loss_cache)["Y"]
        weights = optimizer(weights, layer.backward(cache, incoming), rate)
        losses.append(float(value))
    return losses


if __name__ == "__main__":
    losses = train(30)
    print("each step lowers the loss:", all(np.diff(losses) < 0))
