"""Costs for people, as tables in text, Markdown, LaTeX, CSV and JSON.

flops.py              operations and their FLOPs, by value and gradient
memory.py             bytes of forward, backward and training
modes.py              forward and reverse accumulation side by side
rematerialization.py  the curve of peak memory against extra FLOPs, a plan in words
tables.py             what a table is, and how each format writes it
quantities.py         bytes as people write them
"""
