"""Functions of other tools and of books that are none here, and what to write instead."""

from __future__ import annotations

from matderiv.language.latex_commands import REFUSED

__all__ = ["ELSEWHERE", "SPECIAL", "SUBSCRIPTED", "VALUES"]

VALUES = "the largest singular value is ||A||_op, their sum ||A||_*"
_PARTS = "arrays are not joined: write W x + V y, not [W V] times x above y"
_FLAT = "its derivative is 0 wherever there is one"
_OBJECTIVE = REFUSED["argmin"]
_LINEAR = "it is linear: write T x and declare the matrix T"
_ORDER = "what depends on the order of entries is not here, but for max(x) and min(x)"

SUBSCRIPTED = {  # sum_i, min_x
    **{name: REFUSED[name] for name in ("sum", "prod", "min", "max", "argmin", "argmax", "lim")},
    "log": "the logarithm to another base b is log(x)/log(b)",
}
ELSEWHERE = {
    **dict.fromkeys(("eig", "eigh", "eigvals", "eigvalsh", "eigenvalues", "svd"), VALUES),
    **dict.fromkeys(("concat", "concatenate", "cat", "stack", "hstack", "vstack"), _PARTS),
    **dict.fromkeys(("floor", "ceil", "round", "rank"), _FLAT),
    **dict.fromkeys(("sort", "median", "quantile", "percentile", "topk"), _ORDER),
    **dict.fromkeys(("conv", "conv1d", "conv2d", "convolve", "fft", "ifft", "dft"), _LINEAR),
    **dict.fromkeys(("roll", "flip", "shift", "permute", "avgpool", "avg_pool"), _LINEAR),
    **dict.fromkeys(("qr", "lu", "schur"), "of the decompositions there is chol(A)"),
    **dict.fromkeys(
        ("logm", "cosm", "sinm"),
        "of the functions of a matrix there are expm, sqrtm, inv and powers",
    ),
    "argmax": f"onehot_max(x) is 1 at the first largest entry; {_OBJECTIVE}",
    "argmin": f"onehot_max(-x) is 1 at the first smallest entry; {_OBJECTIVE}",
    **dict.fromkeys(("clip", "clamp"), "write min(max(x, a), b)"),
    **dict.fromkeys(("bce", "BCE", "logloss"), "write sum(softplus(z) - y .* z) for logits z"),
    **dict.fromkeys(("kl", "KL", "kldiv", "kl_div"), "write p' (log(p) - log(q))"),
    **dict.fromkeys(("nll", "nll_loss"), "write -sum(Y .* log_softmax(Z)) for logits Z"),
    **dict.fromkeys(("conj", "real", "imag", "Re", "Im"), "all values are real"),
    **dict.fromkeys(("log2", "log10", "lg"), "write log(x)/log(2), log(x)/log(10)"),
    **dict.fromkeys(("lgamma", "gammaln", "digamma"), "there is no gamma function"),
    **dict.fromkeys(("layernorm", "layer_norm"), "write (x - mean(x)) / sqrt(var(x) + 1e-5)"),
    **dict.fromkeys(
        ("batchnorm", "batch_norm"), "write (X - mean(X, axis=0)) ./ sqrt(var(X, axis=0) + 1e-5)"
    ),
    **dict.fromkeys(("rmsnorm", "rms_norm"), "write x / sqrt(mean(x.^2) + 1e-5)"),
    **dict.fromkeys(("logsigmoid", "log_sigmoid"), "write log(sigmoid(x))"),
    **dict.fromkeys(("atan2", "arctan2"), "write atan(y ./ x) where x is positive"),
    **dict.fromkeys(("flatten", "ravel"), "write vec(X) for the columns, vec(X') for the rows"),
    "bmm": 'write einsum("bij,bjk->bik", A, B)',
    "celu": "write max(x, 0) + a expm1(min(x, 0) / a)",
    "cond": "write ||A||_op ||A^-1||_op",
    "cosine_similarity": "write x' y / (||x|| ||y||)",
    **dict.fromkeys(
        ("corr", "corrcoef"),
        "write (x - mean(x))' (y - mean(y)) / (||x - mean(x)|| ||y - mean(y)||)",
    ),
    "cov": "write C' C / n where C = X - mean(X, axis=0)",
    "cross": 'write einsum("ijk,j,k->i", E, x, y) with the signs of permutations E: (3, 3, 3)',
    "cumprod": "write exp(tril(ones(n, n)) log(x)) for x > 0",
    "cumsum": "write tril(ones(n, n)) x",
    "dropout": "write m .* x with the mask m",
    "entr": "write -x .* log(x)",
    "erfc": "write 1 - erf(x)",
    "frobenius": "write ||X||_F",
    "hadamard": "write x .* y",
    "hardsigmoid": "write min(max(x / 6 + 1/2, 0), 1)",
    "hardswish": "write x .* min(max(x / 6 + 1/2, 0), 1)",
    "hardtanh": "write min(max(x, -1), 1)",
    "heaviside": "write step(x)",
    "hinge": "write max(0, 1 - x)",
    "huber": "give it a formula, f(t) = sqrt(1 + t^2) - 1: elementwise, or declare it",
    "hypot": "write sqrt(x.^2 + y.^2)",
    "logit": "write log(x ./ (1 - x))",
    "lstsq": "write pinv(A) b",
    "mean_squared_error": "write mse(yhat, y)",
    "mish": "write x .* tanh(softplus(x))",
    "normalize": "write x / ||x||",
    "prelu": "write max(x, 0) + a min(x, 0)",
    "prod": "write exp(sum(log(x))) for x > 0",
    "relu6": "write min(relu(x), 6)",
    "selu": "write s (max(x, 0) + a expm1(min(x, 0)))",
    "sinc": "write sin(x) ./ x",
    "smooth_l1": "give it a formula, f(t) = sqrt(1 + t^2) - 1: elementwise, or declare it",
    "softshrink": "write sign(x) .* relu(abs(x) - c)",
    "softsign": "write x ./ (1 + abs(x))",
    "vech": "write vec(A), or ask for the gradient inside the symmetric matrices, --structured",
    "xlogy": "write x .* log(y)",
}
"""What a call of another tool's function is refused with."""

_NO_GAMMA = "there is no gamma function"
SPECIAL = {
    **dict.fromkeys(("gamma", "Gamma", "Γ"), _NO_GAMMA),
    **dict.fromkeys(("psi", "ψ"), "there is no digamma function"),
    **dict.fromkeys(("Phi", "Φ"), "the normal distribution function is normcdf(x)"),
    **dict.fromkeys(("phi", "φ"), "the normal density is normpdf(x)"),
}
"""Greek names that are functions in most books where a bracket follows, as they are typed."""
