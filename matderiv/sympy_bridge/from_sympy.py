"""placeholder"""
Source=None
def from_sympy(e): pass
