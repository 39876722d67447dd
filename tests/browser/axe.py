"""What axe finds fault with in a page as it stands."""

from typing import Any

from playwright.sync_api import Page

from infrastructure.local.folders import CHECKOUT
from infrastructure.local.frontend import fetch_packages

_DASHBOARD = CHECKOUT / "api" / "dashboard"
_RUN = "axe.run(document, {resultTypes: ['violations'], reporter: 'v1'})"


def faults(page: Page) -> list[str]:
    """One line for each place that breaks a rule: the rule, the element, and why.

    The rules of WCAG 2 A and AA and axe's own best practices.
    """
    if not page.evaluate("'axe' in window"):
        page.evaluate(_axe())
    result: dict[str, Any] = page.evaluate(_RUN)
    return [
        f"{violation['id']}: {node['html'][:160]}: {node['failureSummary']}"
        for violation in result["violations"]
        for node in violation["nodes"]
    ]


def _axe() -> str:
    fetch_packages(_DASHBOARD)
    return (_DASHBOARD / "node_modules" / "axe-core" / "axe.min.js").read_text()
