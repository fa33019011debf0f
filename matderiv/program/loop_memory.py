"""What a loop takes from memory: its outputs, and the peak of one layer.

The layer is the last one computed: all outputs are there but what it adds to them.
"""

from __future__ import annotations

from math import prod

from matderiv.program.footprint import Footprint, Footprints
from matderiv.program.polynomial import Polynomial
from matderiv.program.steps import Body, operands_of

__all__ = ["loop_footprint"]

_TUPLE = 40


def loop_footprint(body: Body, outer: Footprints) -> Footprint:
    """The footprint of a loop at the sizes of `outer`: its outputs, one layer as hidden."""
    from matderiv.program.liveness import peak  # which reads footprints itself

    inner = Footprints(body.steps, dict(body.inputs), outer.sizes)
    always, rest = body.steps[: body.always], body.steps[body.always :]
    handed = {ref.value for _, ref in body.carries}
    made = {step.value for step in always}
    kept = made & (handed | {output.source.value for output in body.outputs})
    layer = peak(always, kept, inner).bytes
    if rest:
        given = made & (handed | {number for step in rest for number in operands_of(step)})
        layer = max(layer, peak(rest, handed, inner, given).bytes)
    data, header, polynomial = 0, _TUPLE, Polynomial({})
    stored = {o.source.value for o in body.outputs if o.kind in ("list", "trail")}
    for output in body.outputs:
        shape = outer.numbers(output.shape)
        header += 8
        if output.kind == "array":
            header += 96 + 16 * len(shape)
        elif output.kind != "last":
            header += 56 + shape[0] * (8 + 96 + 16 * (len(shape) - 1))
        if output.kind == "last" and output.source.value in stored:
            continue
        part = Polynomial.of(8, *output.shape)
        if output.source.value in {number for number, _ in body.carries}:
            part = part - Polynomial.of(8, *output.shape[1:])  # the first is where it starts
        polynomial = polynomial + part
        data += int(part.at(outer.sizes))
        if output.kind != "array":
            layer -= 8 * prod(shape if output.kind == "last" else shape[1:])
    shapes = dict(body.inputs)
    for argument, ref in body.carries:
        if not {argument, ref.value} & stored:
            layer += 8 * prod(outer.numbers(shapes[argument]))
    return Footprint(data, header, max(layer, 0), 0, polynomial)
