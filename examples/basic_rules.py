"""Rules of differentiation: scalars by scalars, scalars by vectors, vectors by vectors.

Lower-case Latin names are vectors and Greek ones scalars; f and g are declared as
functions and stay names.
"""

import matderiv as md

SCALARS = {
    "α^n": "n: ()",
    "exp(α)": "",
    "log(α)": "",
    "sin(α)": "",
    "f(α) + g(α)": "f, g: elementwise",
    "f(α) g(α)": "f, g: elementwise",
    "f(g(α))": "f, g: elementwise",
}


def derivative(expression: str, declarations: str, wrt: str) -> str:
    source = f"{expression} where {declarations}" if declarations else expression
    return str(md.diff(source, wrt))


rules = {text: derivative(text, declared, "α") for text, declared in SCALARS.items()}
by_vector = {
    "f(x)": derivative("f(x)", "f: scalar function", "x"),
    "f(A x)": derivative("f(A x)", "A: (m, n), f: elementwise", "x"),
}

if __name__ == "__main__":
    print(f"∂/∂α c = {md.diff('c where c: (), α: ()', 'α')}")
    for text, rule in rules.items():
        print(f"∂/∂α {text} = {rule}")
    print(f"∂/∂x {'f(x)'} = {by_vector['f(x)']}, f scalar: a gradient")
    print(f"∂/∂x {'f(A x)'} = {by_vector['f(A x)']}, f elementwise: a Jacobian")
