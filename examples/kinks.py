"""Kinks: where a function has no derivative, one element of its subdifferential is taken.

max(α, 0)  at 0: the set is [0, 1],  taken is 0
|α|        at 0: the set is [-1, 1], taken is 0
"""

import matderiv as md

KINKS = {"max(α, 0)": (0, 1), "|α|": (-1, 1)}


def slope(expression: str, at: float) -> float:
    return float(md.diff(expression, "α").evaluate({"α": at}))


if __name__ == "__main__":
    for expression, (low, high) in KINKS.items():
        print(f"∂/∂α {expression} = {md.diff(expression, 'α')}")
        left, taken, right = (slope(expression, at) for at in (-2.0, 0.0, 2.0))
        print(
            f"  {left:.0f} left of 0, {right:.0f} right of it; at 0 {taken:.0f} of [{low}, {high}]"
        )
