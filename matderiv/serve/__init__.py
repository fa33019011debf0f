"""A local page: type a formula, see its derivative, costs and code.

    page/ ── POST /answers ──▶ server.py ─▶ desk.py ─▶ worker.py ─▶ answers.py

The page is static and asks for nothing outside.  `server` speaks HTTP on the loopback
address, `desk` lends worker processes and stops them, `answers` turns a request into a
stream of parts, each of which the page shows as it comes.
"""

from matderiv.serve.server import DEFAULT_PORT, PageServer, serve

__all__ = ["DEFAULT_PORT", "PageServer", "serve"]
