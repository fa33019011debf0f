"""The JAX module on eight devices: equal results, and the communication that theory asks for.

Devices are simulated on the host, which must be asked for before JAX starts: each test
runs in a process of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

SCRIPT = r"""
import json, re, sys
import jax, jax.numpy as jnp, numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
import matderiv as md

jax.config.update("jax_enable_x64", True)
request = json.loads(sys.argv[1])
function = md.compile(request["source"], request["wrt"], backend="jax")
rng = np.random.default_rng(0)
values = {name: rng.normal(size=shape) for name, shape in request["shapes"].items()}
mesh = Mesh(np.array(jax.devices()), ("batch",))
split = NamedSharding(mesh, PartitionSpec("batch"))
whole = NamedSharding(mesh, PartitionSpec())
placed = {
    name: jax.device_put(value, split if name in request["data"] else whole)
    for name, value in values.items()
}
step = jax.jit(function.module.value_and_grad, out_shardings=whole)
text = step.lower(**placed).compile().as_text()
value, gradients = step(**placed)
expected, exact = md.compile(request["source"], request["wrt"]).value_and_grad(values)
error = max(
    float(np.max(np.abs(gradients[k] - exact[k])) / np.max(np.abs(exact[k]))) for k in exact
)
reduced = []
for line in text.splitlines():
    found = re.search(r"= (.*?) all-reduce(?:-start)?\(", line)
    if found:
        reduced += [
            [int(n) for n in shape.split(",") if n]
            for shape in re.findall(r"f64\[([\d,]*)\]", found.group(1))
        ]
print(json.dumps({
    "devices": len(jax.devices()),
    "error": error,
    "value": abs(float(value) - float(expected)) / abs(float(expected)),
    "reduced": reduced,
    "gathered": len(re.findall(r"all-gather|all-to-all|collective-permute", text)),
}))
"""

MLP = """
x: (B, M0); w1: (M0, M1); b1: (M1); w2: (M1, M2); b2: (M2); y: (B, M2)
h = relu(x w1 + b1)
||h w2 + b2 - y||^2
"""
CASES: dict[str, dict[str, Any]] = {
    "mlp": {
        "source": MLP,
        "wrt": ["w1", "b1", "w2", "b2"],
        "shapes": {"x": [64, 5], "w1": [5, 7], "b1": [7], "w2": [7, 3], "b2": [3], "y": [64, 3]},
        "data": ["x", "y"],
    },
    "logistic regression": {
        "source": "X: (n, d); w: (d); y: (n)\nsum(log(1 + exp(-y .* (X w))))",
        "wrt": ["w"],
        "shapes": {"X": [64, 5], "w": [5], "y": [64]},
        "data": ["X", "y"],
    },
    "softmax regression": {
        "source": "X: (n, d); W: (d, k); Y: (n, k)\ncross_entropy(X W, Y)",
        "wrt": ["W"],
        "shapes": {"X": [64, 5], "W": [5, 3], "Y": [64, 3]},
        "data": ["X", "Y"],
    },
}


@pytest.mark.parametrize("name", CASES)
def test_one_all_reduce_for_each_gradient_and_no_gather(name: str) -> None:
    case = CASES[name]
    environment = {**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=8"}
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(case)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=environment,
    )
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    assert found["devices"] == 8
    assert found["error"] < 1e-12
    assert found["value"] < 1e-12
    assert found["gathered"] == 0
    # The value, then each gradient once: nothing else crosses the network.
    gradients = [case["shapes"][w] for w in case["wrt"]]
    assert sorted(found["reduced"]) == sorted([[], *gradients])
