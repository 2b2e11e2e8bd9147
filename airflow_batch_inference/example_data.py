"""Data for the example DAGs: two small models, a reference, an ordinary batch, a drifted one, and one with the truth.

The example DAGs must work in any Airflow that has the package, with no download: everything is made from
scikit-learn's breast-cancer data (569 rows, 30 measurements of a tumour).

Invariants: what already lies in the folder is never replaced, so that a model keeps its digest and every run of an
example sees the same files.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from airflow_batch_inference.storage.store import Storage
from airflow_batch_inference.storage.uris import join_uri, normalize_uri

if TYPE_CHECKING:
    import pandas as pd

PREDICTION = "malignant"
TRUTH = "diagnosis"
CLASSES = ("benign", "malignant")
"""The values of the truth, as the model numbers them."""
_FILES = {
    "model_uri": "tumour.txt",
    "challenger_uri": "tumour-next.txt",
    "sample_set": "sample.parquet",
    "ordinary": "ordinary.parquet",
    "drifted": "drifted.parquet",
    "labelled": "labelled.parquet",
}


def make_example_data(folder_uri: str, storage: Storage | None = None) -> dict[str, str]:
    """Write the examples' files below a folder, those that are not there yet.

    Parameters
    ----------
    folder_uri
        Where to write; an absolute path or a URI of any file system that ``storage`` knows.
    storage
        Gives the file systems; by default those that need no connection.

    Returns
    -------
    dict[str, str]
        ``model_uri`` (LightGBM text), ``model_sha256``, ``challenger_uri`` (a model of more trees), and four Parquet
        files: ``sample_set`` (285 rows, the 30 measurements and the model's own prediction ``malignant`` for them),
        ``ordinary`` and ``drifted`` (284 rows, the 30 measurements), and ``labelled`` (those of ``ordinary`` with the
        true ``diagnosis``).

    Raises
    ------
    OSError
        The folder cannot be written to.
    """
    storage = storage or Storage()
    uris = {key: join_uri(normalize_uri(folder_uri), name) for key, name in _FILES.items()}
    if not all(storage.exists(uri) for uri in uris.values()):
        for key, data in _contents().items():
            storage.put_new(uris[key], data)
    digest = hashlib.sha256(storage.read_bytes(uris["model_uri"])).hexdigest()
    return {**uris, "model_sha256": digest}


def _contents() -> dict[str, bytes]:
    """Train on every second row; the rows between are the batches."""
    import lightgbm
    from sklearn.datasets import load_breast_cancer

    measurements, benign = load_breast_cancer(return_X_y=True, as_frame=True)
    # LightGBM's text format has no blanks in names; the batches must carry the names that the model knows.
    measurements.columns = [name.replace(" ", "_") for name in measurements.columns]
    reference, ordinary = measurements.iloc[::2], measurements.iloc[1::2]
    parameters = {
        "objective": "binary",
        "num_leaves": 7,
        "learning_rate": 0.05,
        "seed": 0,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "verbose": -1,
    }
    booster = lightgbm.train(parameters, lightgbm.Dataset(reference, 1 - benign.iloc[::2]), num_boost_round=40)
    larger = lightgbm.train(parameters, lightgbm.Dataset(reference, 1 - benign.iloc[::2]), num_boost_round=120)
    return {
        "model_uri": booster.model_to_string().encode(),
        "challenger_uri": larger.model_to_string().encode(),
        # A model's predictions are compared with its own on the reference: the 0 and 1 it learnt from are
        # distributed otherwise than its probabilities.
        "sample_set": _parquet(reference.assign(**{PREDICTION: booster.predict(reference)})),
        "ordinary": _parquet(ordinary),
        "labelled": _parquet(ordinary.assign(**{TRUTH: (1 - benign.iloc[1::2]).map(dict(enumerate(CLASSES)))})),
        # The mishap behind much real drift: someone upstream now reports millimetres instead of centimetres.
        "drifted": _parquet(ordinary * 10.0),
    }


def _parquet(frame: pd.DataFrame) -> bytes:
    data: bytes = frame.to_parquet(index=False)
    return data
