"""Computation graphs: variables as squares, operators as circles, from input to output.

`matderiv graph PROGRAM -o FILE.svg` draws what is printed here in Mermaid's notation.
The second graph is pruned: W1 and x are not needed for a gradient by W2.
"""

import matderiv as md
from matderiv.pictures import computation_graph

SQUARE = "y: (); a = <x, w>; b = a - y; z = b^2; z"
OBJECTIVE = """
x: (d); W1: (p, d); W2: (q, p); y: (q); λ: ()
φ: elementwise; l: scalar function
z = W1 x
h = φ(z)
o = W2 h
L = l(o, y)
s = λ/2 (||W1||_F^2 + ||W2||_F^2)
J = L + s
J
"""

square = computation_graph(md.parse(SQUARE))
whole = computation_graph(md.parse(OBJECTIVE))
pruned = computation_graph(md.parse(OBJECTIVE), ["W2"])

if __name__ == "__main__":
    print(square.to("mermaid"))
    for name, graph in {"J": whole, "∂J/∂W2": pruned}.items():
        squares = [vertex.label for vertex in graph.vertices if vertex.kind != "operator"]
        print(f"{name}: {', '.join(squares)}")
    print(f"SVG of {len(whole.to('svg').splitlines())} lines")
