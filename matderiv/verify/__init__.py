"""Check a formula that somebody claims for a derivative.

Nothing is compared as text.  The derivative, checked itself first, and the claim are
evaluated at random general points, every size its own:

    claim = derivative                  right
    claim = another view of it          right in another layout, transposed, as a vec form
    claim = c · derivative              off by a sign, or by a factor: a number times powers
                                        of sizes and scalars of the program
    equal where inputs are symmetric …  right under that condition
    otherwise                           wrong, with a point at which anybody can see it
"""

from matderiv.verify.report import Verdict, VerifyReport, verify_claim

__all__ = ["Verdict", "VerifyReport", "verify_claim"]
