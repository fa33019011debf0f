"""Check the formulas of papers: likelihoods of a Gaussian process, a VAE and a Gaussian."""

from typing import Any

import matderiv as md

GAUSSIAN = r"\frac{1}{2} \log\det \Sigma + \frac{1}{2} (x - \mu)^\top \Sigma^{-1} (x - \mu)"
PAPERS: list[tuple[str, str, dict[str, Any], list[tuple[str, str]]]] = [
    (
        "Rasmussen & Williams (2006), section 5.4.1, by the covariance itself",
        "1/2 y' K^-1 y + 1/2 log det K",
        {"attributes": {"K": "posdef"}},
        [("K", "1/2 (K^-1 - K^-1 y y' K^-1)"), ("K", "1/2 (K^-1 y y' K^-1 - K^-1)")],
    ),
    (
        "Kingma & Welling (2014), appendix B, with s the logarithm of the variance",
        "-1/2 sum(1 + s - μ.^2 - exp(s))",
        {"shapes": {"s": ("n",), "μ": ("n",)}},
        [("μ", "μ"), ("s", "1/2 (exp(s) - 1)"), ("s", "exp(s) - 1")],
    ),
    (
        "a Gaussian, pasted from its LaTeX source",
        GAUSSIAN,
        {"shapes": {"μ": ("n",)}, "attributes": {"Σ": "posdef"}},
        [
            ("μ", r"-\Sigma^{-1} (x - \mu)"),
            ("Σ", r"\frac{1}{2} \Sigma^{-1} (I - (x - \mu) (x - \mu)^\top \Sigma^{-1})"),
        ],
    ),
]

for paper, likelihood, options, claims in PAPERS:
    print(f"{paper}\n  {likelihood}")
    for name, claim in claims:
        verdict = md.verify(likelihood, name, claim, **options)
        print(f"    by {name}: {claim}\n      {verdict.message}")
