"""Pages estimate how long a fit takes by a process of its own each; only slow tests let them."""

import pytest

from anomalo_dashboard.starting import predictions


@pytest.fixture(autouse=True)
def no_estimates(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.node.get_closest_marker("slow") is None:
        monkeypatch.setattr(predictions, "_ask", lambda command, workspace: {})
