"""What the public functions return: programs, their derivatives, and these as maps.

family.py       derivatives by several variables, computed together
derivative.py   one of them in a layout: printed, evaluated, checked
maps.py         dX ↦ dY, G ↦ X̄, V ↦ H V and the vec form, from a family
together.py     several of them, written down with the lines that they share
form.py         what a map is to a reader: a formula in inputs and seeds
"""

from matderiv.results.derivative import Derivative, differentiate
from matderiv.results.form import Form
from matderiv.results.together import Derivatives, together
from matderiv.source import Program

__all__ = ["Derivative", "Derivatives", "Form", "Program", "differentiate", "together"]
