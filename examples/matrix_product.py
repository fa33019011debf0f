"""What a matrix product costs: C = A B with A of N rows and M columns, B of M and P.

Each of the N P entries takes M multiplications and M - 1 additions.
"""

import matderiv as md

cost = md.cost("A B where A: (N, M), B: (M, P)")

if __name__ == "__main__":
    (product,) = cost.table()
    print(f"exact    {product.exact}")
    print(f"leading  {product.leading}")
