"""One layer o = W h, its output as a vector, a column, a row and the rows of a batch.

The gradient of the loss by h has the shape of h each time.
"""

import matderiv as md

FORMS = {
    "one sample": ("h: (p); W: (q, p); t: (q)", "W h"),
    "a column": ("h: (p, 1); W: (q, p); t: (q, 1)", "W h"),
    "a row": ("h: (1, p); W: (q, p); t: (1, q)", "h W'"),
    "a batch": ("h: (B, p); W: (q, p); t: (B, q)", "h W'"),
}


def gradient(form: str) -> md.Derivative:
    declarations, output = FORMS[form]
    return md.diff(f"{declarations}; l: scalar function; o = {output}; l(o, t)", "h")


if __name__ == "__main__":
    for form in FORMS:
        found = gradient(form)
        formula = str(found).split("\n")[0]
        print(f"{form:11} {formula:14} of shape ({', '.join(map(str, found.shape))})")
