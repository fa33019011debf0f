"""Derivatives that people compute, against the best that they could run instead."""
