"""Three layers without biases: the gradients of all weights as one recurrence.

Each δ is the gradient of the loss by a value of the program.  It is computed once and
used by every gradient below it, so N layers print and cost N lines.
"""

import numpy as np

import matderiv as md

SHAPES = "x: (B, M0); y: (B, M3); w1: (M0, M1); w2: (M1, M2); w3: (M2, M3)"
LINEAR = f"""{SHAPES}
z1 = x w1
z2 = z1 w2
yhat = z2 w3
||yhat - y||^2
"""
ANY = f"""{SHAPES}; act: elementwise
h1 = x w1;   z1 = act(h1)
h2 = z1 w2;  z2 = act(h2)
h3 = z2 w3;  yhat = act(h3)
||yhat - y||^2
"""
WEIGHTS = ["w1", "w2", "w3"]


def descend(steps: int, rate: float = 0.01) -> list[float]:
    """The losses of gradient descent, w := w - rate · ∂L/∂w, on random data."""
    random = np.random.default_rng(0)
    sizes = {"x": (8, 5), "y": (8, 2), "w1": (5, 4), "w2": (4, 3), "w3": (3, 2)}
    values = {name: 0.5 * random.normal(size=size) for name, size in sizes.items()}
    compiled = md.compile(LINEAR, WEIGHTS)
    losses = []
    for _ in range(steps):
        loss, gradients = compiled.value_and_grad(values)
        losses.append(float(loss))
        for name in WEIGHTS:
            values[name] = values[name] - rate * gradients[name]
    return losses


if __name__ == "__main__":
    for title, program in {"act(h) = h": LINEAR, "any act": ANY}.items():
        print(f"# {title}")
        for name, gradient in md.diff(program, WEIGHTS).items():
            print(f"∂L/∂{name} = {gradient}")
    first, *_, last = descend(200)
    print(f"# after 200 steps of w := w - α ∂L/∂w the loss fell: {last < first / 2}")
