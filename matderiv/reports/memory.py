"""Memory for people: peaks in symbols and bytes, what is alive at the peak, and training.

Symbols count the elements of arrays, 8 bytes each (4 in float32) and 1 in a mask; bytes count
all that Python's accounting sees.  Inputs are the caller's and not counted, but the
parameters are in what training takes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matderiv.program.assemble import Plan
from matderiv.program.memory import Memory
from matderiv.program.operations import display_names
from matderiv.program.polynomial import Polynomial
from matderiv.reports.tables import Table, render
from matderiv.tensor.dims import shape_text

__all__ = ["OPTIMIZERS", "MemoryReport", "Training"]

OPTIMIZERS = {"SGD": 0, "momentum": 1, "Adam": 2}
"""Arrays of the size of the parameters that an optimizer keeps from step to step."""


@dataclass(frozen=True)
class Training:
    """What a step of training holds, in symbols and in bytes at some sizes.

    parameters   the arrays that are differentiated by; gradients take as much
    activations  what forward keeps for backward
    peak         of value and gradients, which has gradients and activations in it
    """

    parameters: Polynomial
    activations: Polynomial
    peak: Polynomial
    peak_bytes: int
    sizes: Mapping[str, int]

    @staticmethod
    def of(memory: Memory) -> Training:
        plan = memory.plan
        wanted = [v for v in plan.inputs if v.name in plan.gradients]
        top = memory.value_and_grad
        return Training(
            Polynomial.total(Polynomial.of(plan.item, *v.shape) for v in wanted),
            memory.cache,
            top.polynomial,
            top.bytes,
            memory.sizes,
        )

    def total(self, optimizer: str) -> Polynomial:
        """Parameters, the optimizer's state and the peak of value and gradients."""
        return (1 + OPTIMIZERS[optimizer]) * self.parameters + self.peak

    def total_bytes(self, optimizer: str) -> int:
        state = (1 + OPTIMIZERS[optimizer]) * self.parameters
        return int(state.at(self.sizes)) + self.peak_bytes


@dataclass(frozen=True)
class MemoryReport:
    """The tables of `matderiv memory`; `known` are the sizes that the user gave."""

    plan: Plan
    known: Mapping[str, int]

    @property
    def memory(self) -> Memory:
        return Memory(self.plan, self.known)

    def peaks(self) -> Table:
        """Forward, cache, backward, both together, each in symbols and bytes."""
        memory = self.memory
        rows = [("forward", memory.forward.polynomial, memory.forward.bytes)]
        if self.plan.gradients:
            both = memory.value_and_grad
            rows += [
                ("cache", memory.cache, memory.cache_bytes),
                ("backward", memory.backward.polynomial, memory.backward.bytes),
                ("value and gradients", both.polynomial, both.bytes),
            ]
        if self.plan.derivatives:
            rows.append(("derivative", memory.derivative.polynomial, memory.derivative.bytes))
        return self._table("peak of", rows)

    def alive(self) -> Table:
        """The arrays that are alive at the peak, the largest first."""
        memory, names = self.memory, display_names(self.plan).values
        peak = memory.peak
        found = []
        for number, symbols in peak.alive.items():
            shape = self.plan.shapes[number]
            count = memory.footprints.whole(number).data if shape else int(symbols.at(memory.sizes))
            one = bool(shape) or count <= 8  # a tuple has no shape of its own
            label = f"{names[number]} {shape_text(shape)}" if one else names[number]
            found.append((label, symbols, count))
        if peak.inside:
            loop = next(step.body for step in self.plan.steps if step.value == peak.step)
            label = "one block of layers" if loop and loop.again else "one layer"
            found.append((label, peak.inside, int(peak.inside.at(memory.sizes))))
        found.sort(key=lambda row: -row[2])
        return self._table("alive at the peak", found)

    def training(self) -> Table:
        """Parameters, gradients, activations; state and total for each optimizer."""
        found = Training.of(self.memory)
        parts = {
            "parameters": found.parameters,
            "gradients": found.parameters,
            "activations": found.activations,
        }
        rows = [(name, part, int(part.at(found.sizes))) for name, part in parts.items()]
        for optimizer, count in OPTIMIZERS.items():
            if count:
                state = count * found.parameters
                rows.append((f"state of {optimizer}", state, int(state.at(found.sizes))))
        for optimizer in OPTIMIZERS:
            rows.append(
                (f"in all, {optimizer}", found.total(optimizer), found.total_bytes(optimizer))
            )
        return self._table("training holds", rows)

    def _table(self, head: str, rows: Sequence[tuple[str, Polynomial, int]]) -> Table:
        columns = (head, "in symbols", "bytes")
        written = [(name, str(symbols), f"{count:,}") for name, symbols, count in rows]
        return Table(columns, written, frozenset({"bytes"}))

    def to(self, format: str = "text") -> str:
        """All tables, and the lines below them."""
        tables = [self.peaks(), self.alive()]
        if self.plan.gradients:
            tables.append(self.training())
        text = "\n\n".join(render(table, format) for table in tables)
        return "\n".join([text, *self.notes()]) if format == "text" else text

    def notes(self) -> list[str]:
        memory = self.memory
        assumed = {k: v for k, v in memory.sizes.items() if k not in self.known}
        shown = ", ".join(f"{name} = {size}" for name, size in memory.sizes.items())
        lines = ["", f"bytes at {shown}" + ("; give sizes with --at" if assumed else "")]
        if memory.workspace:
            lines.append(f"LAPACK works in {memory.workspace:,} bytes more for a moment")
        return lines
