"""The representation of every value, and the tables of functions. See `nodes`."""
