"""Parts of three rows, for jobs that need several."""

from __future__ import annotations

from job_rows import one_part_a_file

__all__ = ["one_part_a_file"]
