"""A job of mini-batches of files, as it is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from airflow_batch_inference.scripts.settings import ScriptSettings

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from airflow_batch_inference.jobs.request import Destination
    from airflow_batch_inference.scripts.source import Opened


class Scorer(Protocol):
    """What mini-batches of files are scored with: a user's script, or a model by itself."""

    def opened(self, scratch: Path) -> AbstractContextManager[Opened]:
        """Make it ready to go to worker processes, for as long as the block lasts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptRequest:
    """A job as it is asked for.

    Attributes
    ----------
    scorer
        The script, or the model.
    dataset
        A file, folder or glob, or a list of them.
    destination
        Where the prediction set goes.
    settings
        How the script is run.
    name
        The prediction set's.
    recursive
        Whether the files of sub-folders belong to a folder.
    on_empty
        What no file at all means: ``"succeed"`` commits an empty prediction set.
    """

    scorer: Scorer
    dataset: object
    destination: Destination
    settings: ScriptSettings = field(default_factory=ScriptSettings)
    name: str = "prediction"
    recursive: bool = False
    on_empty: str = "fail"
