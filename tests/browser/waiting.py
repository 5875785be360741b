"""Waiting until a page of the dashboard is at rest."""

from typing import Any


def until_drawn(page: Any) -> None:
    """Wait until the page is not being computed, hence shows nothing of what it showed before."""
    page.wait_for_function("!document.querySelector('[data-testid=stApp][data-test-script-state=running]')")
