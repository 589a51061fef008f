"""Options of the test run as a whole."""

from __future__ import annotations

from typing import Any

import fault_table
import pytest


def pytest_addoption(parser: Any) -> None:
    fault_table.add_option(parser)


def pytest_configure(config: pytest.Config) -> None:
    fault_table.configure(config)
