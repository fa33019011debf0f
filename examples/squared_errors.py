"""Two squared errors taken apart: z = (<x, w> - y)² and z = ‖X w - y‖², by w.

In numerator layout the chain rule is a product from left to right:
∂z/∂w = ∂z/∂b ∂b/∂a ∂a/∂w.
"""

import matderiv as md

ONE = {
    "∂z/∂w": ("(<x, w> - y)^2 where y: ()", "w"),
    "∂z/∂b": ("b^2 where b: ()", "b"),
    "∂b/∂a": ("a - y where a, y: ()", "a"),
    "∂a/∂w": ("<x, w>", "w"),
}
MANY = {
    "∂z/∂w": ("||X w - y||^2", "w"),
    "∂z/∂b": ("||b||^2", "b"),
    "∂b/∂a": ("a - y", "a"),
    "∂a/∂w": ("X w", "w"),
}


def local(steps: dict[str, tuple[str, str]]) -> dict[str, str]:
    """The derivative of the whole and of each step."""
    return {
        name: str(md.diff(value, wrt, layout="numerator")) for name, (value, wrt) in steps.items()
    }


if __name__ == "__main__":
    for title, steps in {
        "a = <x, w>, b = a - y, z = b²": ONE,
        "a = X w, b = a - y, z = ‖b‖²": MANY,
    }.items():
        print(f"# {title}")
        for name, formula in local(steps).items():
            print(f"{name} = {formula}")
