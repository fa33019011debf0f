"""The scalar part of a product: its coefficient, its scalar factors, sizes it sums over."""

from __future__ import annotations

from dataclasses import dataclass, field

from matderiv.program.pieces import Piece
from matderiv.program.steps import Length, Operand, Ref
from matderiv.program.tape import Tape
from matderiv.tensor.nodes import Number

__all__ = ["Scalar", "scalar_value", "scaled"]


@dataclass(slots=True)
class Scalar:
    """coefficient · Π numerators / Π denominators."""

    coefficient: Number | float
    numerators: list[Operand] = field(default_factory=list)
    denominators: list[Operand] = field(default_factory=list)

    @property
    def is_one(self) -> bool:
        return self.coefficient == 1 and not self.numerators and not self.denominators


def _gather(tape: Tape, operands: list[Operand], start: float) -> Operand:
    """The product of scalars; the number 1.0 for none."""
    total: Operand = start
    for operand in sorted(operands, key=str):
        total = operand if total == 1.0 else tape.call("multiply", total, operand)
    return total


def scalar_value(tape: Tape, scalar: Scalar) -> Ref | Length | float:
    total = _gather(tape, scalar.numerators, float(scalar.coefficient))
    if scalar.denominators:
        total = tape.call("divide", total, _gather(tape, scalar.denominators, 1.0))
    assert isinstance(total, Ref | Length | float)
    return total


def scaled(tape: Tape, piece: Piece, scalar: Scalar) -> Piece:
    coefficient = scalar.coefficient
    function, other = "multiply", Scalar(coefficient, scalar.numerators, scalar.denominators)
    if scalar.denominators and not scalar.numerators and coefficient == 1:
        function, other = "divide", Scalar(1, scalar.denominators)
    value = scalar_value(tape, other)
    if piece.inverted:
        function = "multiply" if function == "divide" else "divide"
        if value == -1.0:
            function = "multiply"
    if value == -1.0:
        return piece._replace(ref=tape.call("negative", piece.ref))
    return piece._replace(ref=tape.call(function, piece.ref, value))
