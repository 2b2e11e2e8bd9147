"""The bench that scripts are tried on."""

from __future__ import annotations

from script_bench import bench

__all__ = ["bench"]
