"""What scripts that were written for another platform expect of the place that they run in: the port of such contracts.

Contracts stand in a table of strings, others register under the entry-point group
``airflow_batch_inference.script_contracts``.

Invariants: all of them hold at once, so that no script says which one it was written for; and the built-in ones come
first, whose words messages use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from airflow_batch_inference.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow_batch_inference.records import DataFile
    from airflow_batch_inference.storage.store import Storage

_CONTRACTS = Registry(
    what="script contract",
    group="airflow_batch_inference.script_contracts",
    built_in={"azureml": "airflow_batch_inference.compat.azureml.script_contract:AzureMLScripts"},
)


class ScriptContract(Protocol):
    """What a platform gives the scripts that are written for it.

    Attributes
    ----------
    model_variable, output_variable
        The environment variables that hold the folder of the model, and the folder that a script writes its output to.
    """

    model_variable: str
    output_variable: str

    def listed(self, files: Sequence[DataFile], storage: Storage) -> Sequence[DataFile]:
        """Return the files that a script is given, of those of a dataset: a platform's own descriptions are none.

        Raises
        ------
        ConfigurationError
            A description cannot be read, or names what only the platform finds.
        """

    def advice(self, error: str, lines: str) -> str | None:
        """Return what to do here about an error of a script that was written for the platform; None for other errors.

        Parameters
        ----------
        error
            The exception's text, with its type.
        lines
            The script's own lines that led to it.
        """


def contracts() -> tuple[ScriptContract, ...]:
    """Return all contracts, built-in ones first."""
    return tuple(_CONTRACTS.create(name) for name in _CONTRACTS.names())


def model_variables() -> tuple[str, ...]:
    """Return the environment variables that hold the folder of the model.

    Examples
    --------
    >>> len(model_variables()) == len(contracts())
    True
    """
    return tuple(contract.model_variable for contract in contracts())


def output_variables() -> tuple[str, ...]:
    """Return the environment variables that hold the folder that a script writes its output to."""
    return tuple(contract.output_variable for contract in contracts())


def told(variables: Iterable[str]) -> str:
    """Return what messages call a folder that several variables hold.

    Examples
    --------
    >>> told(("MODEL_DIR", "MODEL_HOME"))
    'MODEL_DIR or MODEL_HOME'
    """
    return " or ".join(variables)
