"""Which values to keep between forward and backward, and which to compute again.

    drop.py      keep some forward values, compute the others again on demand
    chain.py     the optimum for chains, by dynamic programming
    evict.py     run under a budget; on overflow drop what is cheap, large and far from use
    exact.py     the optimum for small graphs, by search
    tradeoff.py  all of them: the curve of peak against extra FLOPs, and a plan for a budget

Every method returns a schedule, a list of units with repeats (`units.py`), and is judged
by the same two passes over it.  The operations stay the same, so gradients stay equal bit
by bit.
"""

from matderiv.program.rematerialize.tradeoff import Point, Tradeoff

__all__ = ["Point", "Tradeoff"]
