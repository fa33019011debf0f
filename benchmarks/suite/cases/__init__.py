"""The rows of the table, by field."""

from __future__ import annotations

from benchmarks.suite.cases.factorisation import FACTORISATION
from benchmarks.suite.cases.matrices import MATRICES
from benchmarks.suite.cases.networks import NETWORKS
from benchmarks.suite.cases.regression import REGRESSION

__all__ = ["CASES"]

CASES = (*REGRESSION, *FACTORISATION, *MATRICES, *NETWORKS)
