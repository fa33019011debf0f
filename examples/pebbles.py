"""What forward caches, until when backward needs it, and when each gradient is ready.

Layers are worked off from the last to the first: the pebble that was laid last is taken
up first.
"""

import matderiv as md
from matderiv.pictures import timeline

NETWORK = """
x: (B, D);  w1: (D, M);  w2: (M, M);  w3: (M, K);  y: (B, K)
h1 = relu(x w1)
h2 = relu(h1 w2)
yhat = h2 w3
||yhat - y||^2
"""

function = md.compile(NETWORK, ["w1", "w2", "w3"])
life = timeline(function.plan, {"B": 64, "D": 32, "M": 128, "K": 10})

if __name__ == "__main__":
    print(life.to("text"))
    for place, moment in enumerate(life.moments):
        print(f"{moment.name:10} {life.kept(place):9,} bytes kept")
