"""What several tests of studies compare with."""

from __future__ import annotations

from typing import Any

import pytest

from tests.search.study_runs import finish, start


@pytest.fixture(scope="session")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The study that nothing disturbs."""
    return finish(start(tmp_path_factory.mktemp("study") / "calm", 0))
