"""What a loop takes from memory: its outputs, and the peak of one layer, or of one block.

The layer is the last one computed: all outputs are there but what it adds to them.  In a
loop that computes lists again, a block of layers is hidden besides: its lists, and the more
of what a layer hides while it is computed again and while it runs back.
"""

from __future__ import annotations

from typing import NamedTuple

from matderiv.program.footprint import Footprint, Footprints
from matderiv.program.polynomial import ONE, ZERO, Polynomial
from matderiv.program.steps import Blocks, Body, Output, operands_of
from matderiv.tensor.dims import dim_value

__all__ = ["loop_footprint", "output_footprint"]

_TUPLE, _LIST = 40, 56


class Bytes(NamedTuple):
    """As a number, everything counted; in symbols, the elements of arrays."""

    number: int
    symbols: Polynomial

    def plus(self, element: Polynomial, outer: Footprints) -> Bytes:
        number = self.number + int(element.at(outer.sizes))
        return Bytes(max(number, 0), self.symbols + element)


def loop_footprint(body: Body, outer: Footprints, block: Blocks | None = None) -> Footprint:
    """The footprint at the sizes of `outer`, of all layers or of one block."""
    data, header, polynomial = 0, _TUPLE, ZERO
    layer = _layer(body, outer)
    for output in body.outputs:
        part = output_footprint(body, output, outer, block)
        data, header = data + part.data, header + part.header + 8
        polynomial = polynomial + part.polynomial
        if part.data and output.kind not in ("array", "starts") and not _is_argument(body, output):
            layer = layer.plus(-_element(output, outer), outer)
    layer = layer.plus(_carried(body, outer, _stored(body) | _just_kept(body, outer)), outer)
    if body.again is None:
        return Footprint(data, header, layer.number, 0, polynomial, layer.symbols)
    ran = loop_footprint(body.again.body, outer, body.again.blocks)
    again = Bytes(ran.hidden, ran.inside)
    if body.again.blocks.at(outer.sizes)[0] > 1:
        ending = {o.source.value for o in body.outputs if o.kind == "last"}  # among the outputs
        again = again.plus(_carried(body, outer, ending), outer)
    most = max(layer, again, key=lambda found: found.number)
    hidden = ran.kept + most.number
    return Footprint(data, header, hidden, 0, polynomial, ran.polynomial + most.symbols)


def output_footprint(
    body: Body, output: Output, outer: Footprints, block: Blocks | None = None
) -> Footprint:
    """One output: the arrays that the loop makes for it, array objects and lists."""
    element, objects = _element(output, outer), 0
    if output.kind == "last":
        count, symbols = 1, ONE * (output.source.value not in _stored(body))
    else:
        count, symbols = _layers(body, output, outer, block)
        objects = 96 + 16 * len(output.shape)
        if output.kind != "array":
            objects = _LIST + count * (8 + 96 + 16 * (len(output.shape) - 1))
        if output.kind == "starts" or _is_argument(body, output):
            count, symbols = count - 1, symbols - 1
    data = count * int(element.at(outer.sizes)) if symbols else 0
    return Footprint(data, objects, 0, 0, symbols * element)


def _is_argument(body: Body, output: Output) -> bool:
    """Whether a list is of what a carry was: the first is where it starts."""
    return output.kind == "list" and body.holds(output) is not None


def _layers(
    body: Body, output: Output, outer: Footprints, block: Blocks | None
) -> tuple[int, Polynomial]:
    """The length of a list of layers, as a number and in symbols."""
    if output.kind == "starts":
        assert body.blocks is not None
        return body.blocks.at(outer.sizes)[0], body.blocks.number
    if block is not None:
        return block.at(outer.sizes)[1], block.length
    return dim_value(body.count, outer.sizes), Polynomial.of(body.count)


def _element(output: Output, outer: Footprints) -> Polynomial:
    """Bytes of what one layer adds."""
    return Polynomial.of(outer.item, *output.shape[output.kind != "last" :])


# ---- one layer -----------------------------------------------------------------------


def _layer(body: Body, outer: Footprints) -> Bytes:
    """The most that one layer adds to what is there before it."""
    from matderiv.program.liveness import peak  # which reads footprints itself

    inner = Footprints(body.steps, dict(body.inputs), outer.sizes, outer.item)
    always, rest = body.steps[: body.always], body.steps[body.always :]
    handed = {ref.value for _, ref in body.carries}
    made = {step.value for step in always}
    given = made & (handed | {number for step in rest for number in operands_of(step)})
    kept = given | made & {output.source.value for output in body.outputs}
    peaks = [peak(always, kept, inner)]
    if rest:
        peaks.append(peak(rest, handed, inner, given))
    most = max(peaks, key=lambda found: found.bytes)
    return Bytes(most.bytes, most.polynomial)


def _carried(body: Body, outer: Footprints, counted: set[int]) -> Polynomial:
    """What is handed from layer to layer and not `counted` elsewhere."""
    if dim_value(body.count, outer.sizes) == 1:
        return ZERO  # what the first layer receives is the caller's
    shapes = dict(body.inputs)
    return Polynomial.total(
        Polynomial.of(outer.item, *shapes[argument])
        for argument, following in body.carries
        if not {argument, following.value} & counted
    )


def _stored(body: Body) -> set[int]:
    """The values of a layer that are in a list."""
    return {o.source.value for o in body.outputs if o.kind in ("list", "trail")}


def _just_kept(body: Body, outer: Footprints) -> set[int]:
    """The arguments that the last layer finds among what is kept before blocks."""
    if body.blocks is None:
        return set()
    _, length = body.blocks.at(outer.sizes)
    is_first = (dim_value(body.count, outer.sizes) - 1) % length == 0
    arguments = (o.argument for o in body.outputs if o.kind == "starts" and is_first)
    return {argument for argument in arguments if argument is not None}
