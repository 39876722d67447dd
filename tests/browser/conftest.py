"""Patience in every test of a page: a busy machine is no fault of the page.

Set here once, for it holds for the whole process: what one module sets, the next one would lose.
"""

from playwright.sync_api import expect

expect.set_options(timeout=60_000)
