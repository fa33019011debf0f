"""From nodes to a plan, and from a plan to costs and code.

    plan(value, gradients, …)     which steps, in which order, what backward keeps
    Cost(plan)                    FLOPs and bytes as formulas in the dimensions
    emit_numpy.emit(plan, …)      the source of a NumPy module
    CompiledFunction(plan, …)     that module, loaded

It reads the tensor representation and the function tables, and nothing of the language.
"""

from matderiv.program.plan import Graph, Plan, plan

__all__ = ["Graph", "Plan", "plan"]
