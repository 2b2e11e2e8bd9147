"""scikit-learn's estimators and all that behave like them (LightGBM's and XGBoost's wrappers), in three formats.

joblib and pickle run whatever the file says, so :mod:`~airflow_batch_inference.models.loading` comes here with them
only once the digest is pinned. A skops file names its types.

Invariants: every type of a skops file is on our list or on the user's before anything is built, and those on our list
are built from their state only (:mod:`~.skops_schema`); boosters are looked at before their libraries read them
(:mod:`~.skops_boosters`), and what was built before it predicts (:mod:`~.objects`); and a model saved by another
version of scikit-learn is refused, because it may predict something else.
"""

from __future__ import annotations

import sys
import warnings
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.exceptions import ModelLoadError, UntrustedModelError
from airflow_batch_inference.flavors.archives import ZIP, members, require_sound
from airflow_batch_inference.flavors.base import Flavor, LoadedModel, ModelFormat, require, take_options
from airflow_batch_inference.flavors.pickled import PICKLES, imported_by_file, starts_as_pickle
from airflow_batch_inference.flavors.sklearn.model import SklearnModel, describe
from airflow_batch_inference.flavors.sklearn.objects import require_harmless
from airflow_batch_inference.flavors.sklearn.skops_boosters import load_skops
from airflow_batch_inference.flavors.sklearn.skops_schema import SCHEMA, called_names
from airflow_batch_inference.flavors.sklearn.thread_counts import hold_threads
from airflow_batch_inference.flavors.sklearn.trees import trees_of
from airflow_batch_inference.flavors.torch_files import TORCH_LEGACY

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from airflow_batch_inference.flavors.base import LoadedModel
    from airflow_batch_inference.flavors.forests.source import Trees


_OPTIONS = ("categories", "category_columns", "unseen_categories")
_COMPRESSED = ("", ".gz", ".bz2", ".xz", ".lzma", ".lz4", ".z")
JOBLIB = ModelFormat(name="joblib", suffixes=tuple(f".joblib{end}" for end in _COMPRESSED), trust="code")
PICKLE = ModelFormat(
    name="pickle", suffixes=tuple(f"{start}{end}" for start in (".pkl", ".pickle") for end in _COMPRESSED), trust="code"
)
SKOPS = ModelFormat(name="skops", suffixes=(".skops",), trust="allow-list")
# What joblib compresses with: zlib (at its levels), gzip, bzip2, xz, lzma, lz4.
_COMPRESSIONS = (
    *(b"\x78" + level for level in (b"\x01", b"\x5e", b"\x9c", b"\xda")),
    b"\x1f\x8b",
    b"BZh",
    b"\xfd7zXZ",
    b"\x5d\x00",
    b"\x04\x22\x4d\x18",
)
SAFE_TYPES = frozenset(
    {
        # numbers and containers
        "collections.OrderedDict",
        "functools.partial",  # of functions that are on this list themselves
        "numpy.dtype",
        "numpy.random.mtrand.RandomState",
        "numpy.random._generator.Generator",
        # scikit-learn's trees, and what its ensembles, pipelines and searches keep
        "sklearn.tree._tree.Tree",
        "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.calibration._CalibratedClassifier",
        "sklearn.calibration._SigmoidCalibration",
        "sklearn.metrics._scorer._PassthroughScorer",
        "sklearn.model_selection._split.KFold",
        "sklearn.model_selection._split.StratifiedKFold",
        "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
        "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
        "sklearn.utils._bunch.Bunch",
        "sklearn.utils.validation.check_array",
        *(
            f"sklearn._loss.link.{name}"
            for name in ("HalfLogitLink", "IdentityLink", "Interval", "LogitLink", "LogLink", "MultinomialLogit")
        ),
        *(
            f"sklearn._loss.loss.{name}"
            for name in (
                "AbsoluteError",
                "ExponentialLoss",
                "HalfBinomialLoss",
                "HalfGammaLoss",
                "HalfMultinomialLoss",
                "HalfPoissonLoss",
                "HalfSquaredError",
                "HuberLoss",
                "PinballLoss",
            )
        ),
        # gradient boosting with scikit-learn's interface
        "lightgbm.basic.Booster",
        *(f"lightgbm.sklearn.{name}" for name in ("LGBMClassifier", "LGBMModel", "LGBMRanker", "LGBMRegressor")),
        "xgboost.core.Booster",
        *(
            f"xgboost.sklearn.{name}"
            for name in ("XGBClassifier", "XGBModel", "XGBRanker", "XGBRegressor", "XGBRFClassifier", "XGBRFRegressor")
        ),
    }
)
"""Types that a skops file may hold beyond those that skops itself trusts."""
_CALLED = frozenset({"collections.OrderedDict", "sklearn.utils.validation.check_array"})
"""Those of them that do no harm when the file calls them."""
_FREE_BYTES = 256 << 20
"""What a compressed skops file may unpack to beyond 100 times its size: arrays of zeros pack that well."""
_ARRAY_LIBRARIES = tuple(f"sklearn.externals.array_api_compat.{name}" for name in ("cupy", "dask", "torch"))


class SklearnFlavor(Flavor):
    """Loads joblib, pickle and skops files that hold an object with ``predict``."""

    name = "sklearn"
    formats = (JOBLIB, PICKLE, SKOPS)
    extra = None
    safer = "as skops (or a LightGBM or XGBoost model in its own format)"
    packages = ("scikit-learn", "skops", "lightgbm", "xgboost")

    def recognise(self, path: Path, head: bytes) -> ModelFormat | None:
        """Recognise by name and content: a zip with a schema for skops, else a pickle (protocol 2 to 5) or compressed.

        A damaged zip is taken for skops too, so that loading it says what is wrong.
        """
        if SKOPS.names(path):
            names = members(path) if head.startswith(ZIP) else None
            return SKOPS if names is not None and (not names or SCHEMA in names) else None
        by_name = next((known for known in (JOBLIB, PICKLE) if known.names(path)), None)
        return by_name if head.startswith((*PICKLES, *_COMPRESSIONS)) else None

    def recognise_content(self, path: Path, head: bytes) -> ModelFormat | None:
        """Recognise a pickle, compressed or not, under a name that says nothing; PyTorch's legacy ones are not ours."""
        if head.startswith(TORCH_LEGACY) or not starts_as_pickle(path):
            return None
        return PICKLE if head.startswith(PICKLES) else JOBLIB

    def imported_names(self, path: Path, model_format: ModelFormat) -> tuple[str, ...]:  # noqa: ARG002  # all alike
        """Return what a pickle would import, as far as can be told without loading it."""
        return imported_by_file(path)

    def require_followable(
        self,
        path: Path,
        model_format: ModelFormat,
        options: Mapping[str, Any],  # noqa: ARG002  # there are none
    ) -> None:
        """Refuse a damaged archive before skops is imported; see :class:`~.base.Flavor`."""
        if model_format is SKOPS:
            require_sound(path, reads_all=True, free_bytes=_FREE_BYTES)

    def trees(self, model: LoadedModel) -> Trees | None:
        """Return the trees; see :class:`~.base.Flavor`."""
        return trees_of(model) if isinstance(model, SklearnModel) else None

    def load(
        self, path: Path, *, model_format: ModelFormat, trusted: tuple[str, ...], options: Mapping[str, Any]
    ) -> SklearnModel:
        """Load the estimator; see :meth:`~.base.Flavor.load`.

        Raises
        ------
        UntrustedModelError
            A skops file holds types that are neither on :data:`SAFE_TYPES` nor in ``trusted``.
        ModelLoadError
            Saved by another version of scikit-learn, or nothing with ``predict``.
        """
        chosen = take_options(options, _OPTIONS, flavor=self.name)
        saved_elsewhere = require("sklearn.exceptions", extra=self.extra).InconsistentVersionWarning
        with warnings.catch_warnings():
            # skops looks through every loaded module, also at names that warn of their deprecation.
            warnings.simplefilter("ignore", DeprecationWarning)
            warnings.simplefilter("ignore", FutureWarning)  # Airflow's own kind
            warnings.simplefilter("error", saved_elsewhere)
            try:
                estimator = _load_skops(path, trusted) if model_format is SKOPS else _load_pickle(path)
            except saved_elsewhere as warning:
                message = (
                    f"The {warning.estimator_name} was saved by scikit-learn {warning.original_sklearn_version}, but "
                    f"{warning.current_sklearn_version} is installed and may predict something else. Install "
                    f"scikit-learn=={warning.original_sklearn_version}, or fit and save the model again."
                )
                raise ModelLoadError(message) from warning
        hold_threads(estimator)
        return describe(estimator, chosen)

    def accepts(self, model: object) -> bool:
        """Accept an estimator with scikit-learn's interface; see :class:`~.base.Flavor`."""
        return hasattr(model, "predict") and hasattr(model, "get_params")

    def wrap(self, model: object) -> SklearnModel:
        """Describe an estimator in memory; see :class:`~.base.Flavor`."""
        return describe(model)


def _load_pickle(path: Path) -> object:
    # joblib reads plain pickles too, and people save joblib's under .pkl.
    return require("joblib", extra=None).load(path)


def _load_skops(path: Path, trusted: tuple[str, ...]) -> object:
    require_sound(path, free_bytes=_FREE_BYTES)
    _require_trusted(called_names(path) & SAFE_TYPES - _CALLED, trusted)
    skops = _skops()
    held = set(skops.get_untrusted_types(file=path))
    _require_trusted(held - SAFE_TYPES, trusted)
    estimator = load_skops(path, sorted(held))
    require_harmless(estimator)
    return estimator


def _skops() -> Any:  # noqa: ANN401  # a module
    """Import skops without PyTorch and the like, which take seconds and memory.

    skops lists all of scikit-learn's estimators; that walks through every package in scikit-learn, and there are some
    that do nothing but import another array library.
    """
    ignored = [name for name in _ARRAY_LIBRARIES if "skops.io" not in sys.modules and name not in sys.modules]
    for name in ignored:
        sys.modules[name] = None  # type: ignore[assignment]  # Python's own sign for what cannot be imported
    try:
        return require("skops.io", extra="skops")
    finally:
        for name in ignored:
            del sys.modules[name]


def _require_trusted(held: set[str], trusted: tuple[str, ...]) -> None:
    foreign = sorted(held - set(trusted))
    if foreign:
        message = (
            f"The skops file holds {len(foreign)} type(s) that are not known to be safe: {', '.join(foreign)}. If you "
            f"trust them and where the file comes from, pass trusted={foreign!r}."
        )
        raise UntrustedModelError(message)
