"""LightGBM for text models: no scikit-learn, and nothing that another importer could notice."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

from airflow_batch_inference.flavors.lightgbm import library


def told_by(script):
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=False, timeout=200
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_neither_scikit_learn_nor_pandas_is_imported():
    script = """
    import sys
    from airflow_batch_inference.flavors.lightgbm.library import lightgbm
    found = lightgbm()
    print(found.version, found.booster.__name__, *({"sklearn", "pandas", "dask", "lightgbm"} & sys.modules.keys()))
    """
    import lightgbm

    assert told_by(script) == [lightgbm.__version__, "Booster"]


def test_the_whole_library_can_be_imported_afterwards_and_a_pickled_estimator_loaded(tmp_path):
    import joblib
    import lightgbm
    import numpy as np

    rows = np.random.default_rng(0).normal(size=(200, 3))
    fitted = lightgbm.LGBMClassifier(n_estimators=3, verbose=-1).fit(rows, rows[:, 0] > 0)
    joblib.dump(fitted, tmp_path / "m.joblib")
    fitted.booster_.save_model(tmp_path / "m.txt")
    script = f"""
    import joblib, numpy as np
    from airflow_batch_inference.flavors.lightgbm.library import lightgbm
    rows = np.random.default_rng(0).normal(size=(200, 3))
    ours = lightgbm().booster(model_file={str(tmp_path / "m.txt")!r}).predict(rows)
    whole = joblib.load({str(tmp_path / "m.joblib")!r})
    import lightgbm as real
    print(real.compat.SKLEARN_INSTALLED, type(whole).__module__, (whole.predict_proba(rows)[:, 1] == ours).all())
    print(lightgbm().booster is real.Booster)
    """
    assert told_by(script) == ["True", "lightgbm.sklearn", "True", "True"]


@pytest.mark.parametrize("missing", ["VERSION.txt", "compat.py", "basic.py"])
def test_a_version_that_is_built_in_another_way_is_imported_whole(missing, tmp_path):
    script = f"""
    import importlib.util, pathlib, shutil, sys
    folder = pathlib.Path({str(tmp_path)!r}) / "lightgbm"
    folder.mkdir()
    (folder / "__init__.py").write_text("class Booster: pass\\n__version__ = '99.0'\\n")
    for name in {{"VERSION.txt", "compat.py", "basic.py", "libpath.py"}} - {{{missing!r}}}:
        (folder / name).write_text("Booster = 1\\n" if name.endswith("py") else "98.0\\n")
    sys.path.insert(0, {str(tmp_path)!r})
    from airflow_batch_inference.flavors.lightgbm.library import PACKAGE, lightgbm
    left = [name for name in sys.modules if name.startswith(PACKAGE)]
    print(lightgbm().version, lightgbm().booster.__module__, *left)
    """
    assert told_by(script) == ["99.0", "lightgbm"]


def test_the_library_that_is_there_already_is_used():
    import lightgbm

    assert library.lightgbm().booster is lightgbm.Booster
