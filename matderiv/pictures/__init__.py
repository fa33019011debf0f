"""Pictures of programs: the computation graph, and the life of cached values over time."""

from matderiv.pictures.graph import ComputationGraph, computation_graph
from matderiv.pictures.timeline import Timeline, timeline

__all__ = ["ComputationGraph", "Timeline", "computation_graph", "timeline"]
