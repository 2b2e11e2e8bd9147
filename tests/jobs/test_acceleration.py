"""A job with accelerated trees: the same bytes, a record that says so, and nothing of a kernel that was found wrong."""

from __future__ import annotations

from dataclasses import replace

import lightgbm
import numpy as np
import pyarrow.parquet as pq
import pytest

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.flavors.forests.forest import ZERO_NAN_RIGHT
from airflow_batch_inference.flavors.lightgbm import forest as lightgbm_forest
from airflow_batch_inference.flavors.lightgbm.flavor import TEXT, LightGBMFlavor
from airflow_batch_inference.flavors.registry import trees_of
from airflow_batch_inference.jobs import plan
from airflow_batch_inference.jobs.acceleration import drop_suspects, of_all_parts, tree_kernel
from airflow_batch_inference.jobs.part import PartScorer
from airflow_batch_inference.ledger.receipts import put_receipt, receipt_uri
from airflow_batch_inference.predictors.call import StepModel
from airflow_batch_inference.predictors.explanations import Explain
from airflow_batch_inference.predictors.graphs.loaded import LoadedChain, LoadedModels
from airflow_batch_inference.records import Receipt
from airflow_batch_inference.storage.store import Storage
from airflow_batch_inference.trees import fast_model
from airflow_batch_inference.trees.fast_model import FastModel
from airflow_batch_inference.trees.scorer import TreeScorer
from airflow_batch_inference.workflows.score import score_dataset

ROWS = 3000


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    rng = np.random.default_rng(0)
    data = np.where(rng.random((500, 2)) < 0.2, np.nan, rng.normal(size=(500, 2)))
    dataset = lightgbm.Dataset(data, np.nan_to_num(data).sum(axis=1), feature_name=["a", "b"])
    path = tmp_path_factory.mktemp("model") / "model.txt"
    lightgbm.train({"objective": "regression", "verbose": -1, "num_threads": 1}, dataset, 5).save_model(path)
    return LightGBMFlavor().load(path, model_format=TEXT, trusted=(), options={})


@pytest.fixture
def dataset(bench):
    rng = np.random.default_rng(1)
    values = np.where(rng.random((2, ROWS)) < 0.2, np.nan, rng.normal(size=(2, ROWS)))
    return bench.write("batch.parquet", {"a": values[0], "b": values[1]})


@pytest.fixture(autouse=True)
def _few_rows_are_worth_it(monkeypatch):
    monkeypatch.setattr(fast_model, "_WORTH", 1000)


@pytest.fixture
def wrong_reader(monkeypatch):
    rules = lightgbm_forest._RULES.copy()
    rules[2] = ZERO_NAN_RIGHT
    monkeypatch.setattr(lightgbm_forest, "_RULES", rules)


def score(bench, dataset, model, accelerate, **options):
    request = replace(bench.request(dataset, model=model, **options), accelerate=accelerate)
    return score_dataset(request, storage=bench.storage)[1]


@pytest.mark.parametrize("methods", [("predict",), ("predict", "raw_score", "leaf_index")])
def test_the_output_and_the_key_are_the_same_with_and_without(bench, dataset, model, methods):
    fast = score(bench, dataset, model, "auto", predict_method=methods)
    bytes_of_fast = [bench.storage.read_bytes(part.uri) for part in fast.parts]
    bench.root.rename(bench.folder / "first")
    slow = score(bench, dataset, model, "off", predict_method=methods)

    assert fast.tree_kernel == {"fake": ""}
    assert slow.tree_kernel == {}
    assert fast.job_key == slow.job_key
    assert [bench.storage.read_bytes(part.uri) for part in slow.parts] == bytes_of_fast


@pytest.mark.parametrize("sees_it_on_probes", [True, False])
def test_a_model_that_the_kernel_gets_wrong_is_caught_before_a_row_is_written(
    bench, dataset, model, wrong_reader, sees_it_on_probes, monkeypatch
):
    if not sees_it_on_probes:
        monkeypatch.setattr(TreeScorer, "difference", lambda self, source, methods: None)
    record = score(bench, dataset, model, "auto", rows_per_batch=1000)

    table = pq.read_table(dataset)
    np.testing.assert_array_equal(bench.output(record).column("predicted_label"), model.predict(table))
    assert record.tree_kernel["fake"].startswith("it differs from the library on ")


def test_parts_of_a_kernel_that_was_found_wrong_elsewhere_are_scored_again(bench, dataset, model, monkeypatch):
    """The first part goes through; in the second, as in another process, the kernel is found to differ."""
    monkeypatch.setattr(plan, "_PART_ROWS", 1500)
    told = iter([{"fake": ""}, {"fake": f"{fast_model.DIFFERS} on the first rows: row 3"}, {}])
    monkeypatch.setattr("airflow_batch_inference.jobs.part.tree_kernel", lambda models: next(told))
    pq.write_table(pq.read_table(dataset), bench.folder / "rows.parquet", row_group_size=1500)
    scored, original = [], PartScorer.score

    def noted(self, part, **arguments):
        scored.append((part.index, self.request.accelerate))
        return original(self, part, **arguments)

    monkeypatch.setattr(PartScorer, "score", noted)
    record = score(bench, str(bench.folder / "rows.parquet"), model, "auto")

    assert scored == [(0, "auto"), (1, "auto"), (0, "off")]
    assert record.rows_out == ROWS
    assert record.tree_kernel == {"fake": f"{fast_model.DIFFERS} on the first rows: row 3"}
    assert not bench.unaccounted()


def receipt(index, **kernel):
    return Receipt(job_key="k" * 64, index=index, rows_in=1, rows_out=1, part=None, quarantine=None, rejections=(),
                   row_hash_out="0", row_hash_rejected="0", seconds={}, tree_kernel=kernel)  # fmt: skip


def test_nothing_is_dropped_where_the_kernel_was_only_not_used(tmp_path):
    receipts = {0: receipt(0, m=""), 1: receipt(1, m="there were too few rows to pay for it")}
    assert not drop_suspects(receipts, str(tmp_path), Storage())
    assert len(receipts) == 2


def test_what_is_dropped_leaves_no_receipt(tmp_path):
    storage, folder = Storage(), f"file://{tmp_path}"
    receipts = {0: put_receipt(receipt(0, m=""), folder, storage), 1: receipt(1, m=f"{fast_model.DIFFERS} here")}
    assert drop_suspects(receipts, folder, storage)
    assert list(receipts) == [1]
    assert not storage.exists(receipt_uri(folder, "k" * 64, 0))


def test_a_model_whose_trees_the_kernel_walked_in_one_part_was_accelerated():
    receipts = [receipt(0, m="too few"), receipt(1, m=""), receipt(2, m="too few", n="it is not covered")]
    assert of_all_parts(receipts) == {"m": "", "n": "it is not covered"}


def test_explanations_beside_required_trees_come_from_the_library(bench, dataset, model):
    record = score(bench, dataset, model, "require", explain=Explain(top_k=1))
    assert record.tree_kernel == {"fake": ""}
    assert bench.output(record).column("explanation").null_count == 0


def test_required_trees_that_no_method_asks_for_are_refused(bench, dataset, model):
    with pytest.raises(ConfigurationError, match="no method that it covers"):
        score(bench, dataset, model, "require", predict_method=("leaf_index",))


def test_two_models_of_one_name_keep_their_reasons_apart(bench, dataset, model, tmp_path):
    def walked(reason):
        fast = FastModel(model, trees_of(model), is_required=False)
        fast._problem, fast._has_scored = reason, True
        return StepModel(model=fast, record=record, method="predict")

    def loaded(champion, challenger):
        main, other = (LoadedChain(steps=(walked(reason),)) for reason in (champion, challenger))
        return LoadedModels(main=main, beside=(other,), compose=None)

    record = bench.request(dataset, model=model).record
    differs = f"{fast_model.DIFFERS} here"
    told = [tree_kernel(loaded(None, None)), tree_kernel(loaded(differs, None))]
    receipts = {index: receipt(index, **kernel) for index, kernel in enumerate(told)}

    assert told == [{"fake": "", "fake (2)": ""}, {"fake": differs, "fake (2)": ""}]
    assert drop_suspects(receipts, f"file://{tmp_path}", Storage()) == {"fake": differs}
    assert not receipts
