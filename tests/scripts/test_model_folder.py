"""What ``AZUREML_MODEL_DIR`` is: each form of Azure's own pages, and the content alone, find the same file."""

from __future__ import annotations

import pytest

from airflow_batch_inference.exceptions import ScriptError
from airflow_batch_inference.scripts.model_folder import model_folder

NAMED = {
    "by its name": "os.path.join(os.environ['AZUREML_MODEL_DIR'], 'heart-classifier', 'model.pkl')",
    "by its name in text": "os.environ['AZUREML_MODEL_DIR'] + '/heart-classifier/model.pkl'",
    "by its name in an f-string": "f\"{os.environ['AZUREML_MODEL_DIR']}/heart-classifier/model.pkl\"",
    "by a pathlib path": "Path(os.environ['AZUREML_MODEL_DIR']) / 'heart-classifier' / 'model.pkl'",
    "by a name that is made": "os.path.join(os.environ['AZUREML_MODEL_DIR'], "
    "'-'.join(['heart', 'classifier']), 'model.pkl')",
    "in any folder": "glob.glob(os.environ['AZUREML_MODEL_DIR'] + '/*/*.pkl')[-1]",
    "in any folder by pathlib": "next(Path(os.environ['AZUREML_MODEL_DIR']).glob('*/model.pkl'))",
    "in the first folder": "glob.glob(os.environ['AZUREML_MODEL_DIR'] + '/*/')[0] + 'model.pkl'",
    "in the first that is listed": "os.path.join(os.environ['AZUREML_MODEL_DIR'], "
    "os.listdir(os.environ['AZUREML_MODEL_DIR'])[0], 'model.pkl')",
    "in the next that is listed": "next(Path(os.environ['AZUREML_MODEL_DIR']).iterdir()) / 'model.pkl'",
}
CONTENT = {
    "by its name": "os.path.join(os.environ['AZUREML_MODEL_DIR'], 'model.pkl')",
    "by any name": "glob.glob(os.environ['AZUREML_MODEL_DIR'] + '/*.pkl')[0]",
    "by any name by pathlib": "list(Path(os.environ['AZUREML_MODEL_DIR']).glob('*.pkl'))[0]",
    "wherever it lies": "next(each for each in Path(os.environ['AZUREML_MODEL_DIR']).rglob('model.pkl') "
    "if 'backup' not in str(each))",
}
LOADING = """
import glob

def init():
    global model, where
    where = {path}
    model = open(where).read()

def run(mini_batch):
    note("run", mini_batch)
    return [model for _ in mini_batch]
"""


@pytest.fixture
def heart(tmp_path):
    """Return a model's folder, with another model in a folder within it."""
    folder = tmp_path / "models" / "heart-classifier"
    for name, text in (("model.pkl", "the model"), ("backup/model.pkl", "an old one"), ("MLmodel", "flavors: {}")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize("path", [*NAMED.values(), *CONTENT.values()], ids=[
    *(f"folder {name}" for name in NAMED), *(f"content {name}" for name in CONTENT)])  # fmt: skip
def test_every_documented_form_finds_the_model_and_never_another_file(bench, heart, path):
    bench.write_files(2)
    _, record = bench.run(bench.script(LOADING.format(path=path)), model=str(heart))
    assert bench.output(record) == b"predicted_label\nthe model\nthe model\n"


@pytest.mark.parametrize("path", ["os.path.join(os.environ['AZUREML_MODEL_DIR'], 'model', 'model.pkl')",
                                  "os.path.join(os.environ['AZUREML_MODEL_DIR'], 'model.pkl')",
                                  "glob.glob(os.environ['AZUREML_MODEL_DIR'] + '/*/*.pkl')[-1]"])  # fmt: skip
def test_a_folder_named_model_is_found_by_both_forms(bench, heart, path):
    folder = heart.rename(heart.parent / "model")
    bench.write_files(1)
    _, record = bench.run(bench.script(LOADING.format(path=path)), model=str(folder))
    assert bench.output(record) == b"predicted_label\nthe model\n"


def test_the_folder_of_a_version_is_found_by_what_is_in_it(bench, heart):
    version = heart / "3"
    (version / "model").mkdir(parents=True)
    (version / "model" / "model.pkl").write_text("the third")
    bench.write_files(1)
    for path in ("os.path.join(os.environ['AZUREML_MODEL_DIR'], 'model', 'model.pkl')",
                 "os.path.join(os.environ['AZUREML_MODEL_DIR'], '3', 'model', 'model.pkl')"):  # fmt: skip
        bench.forget()
        _, record = bench.run(bench.script(LOADING.format(path=path)), model=str(version))
        assert bench.output(record) == b"predicted_label\nthe third\n"


def test_a_model_file_lies_in_it_under_its_name(bench, heart):
    bench.write_files(1)
    script = bench.script(LOADING.format(path="os.path.join(os.environ['AZUREML_MODEL_DIR'], 'model.pkl')"))
    _, record = bench.run(script, model=str(heart / "model.pkl"))
    assert bench.output(record) == b"predicted_label\nthe model\n"


def test_a_model_that_run_loads_is_found_too_and_no_attempt_is_counted(bench, heart):
    bench.write_files(4)
    script = bench.script("""
        def run(mini_batch):
            note("run", mini_batch)
            name = "-".join(["heart", "classifier"])
            with open(os.path.join(os.environ["AZUREML_MODEL_DIR"], name, "model.pkl")) as file:
                return [file.read() for _ in mini_batch][:1] * len(mini_batch)
    """)
    _, record = bench.run(script, model=str(heart), mini_batch_size=2, max_attempts=1)
    assert bench.output(record).split() == [b"predicted_label", *[b"the", b"model"] * 4]
    assert [entry["attempts"] for entry in bench.mini_batches(record)] == [1, 1]


def test_what_the_folder_held_is_told_where_no_form_finds_the_model(bench, heart):
    bench.write_files(1)
    script = bench.script(LOADING.format(path="os.path.join(os.environ['AZUREML_MODEL_DIR'], 'heart', 'modl.pkl')"))
    with pytest.raises(ScriptError, match=r"raised FileNotFoundError") as raised:
        bench.run(script, model=str(heart))
    assert "AZUREML_MODEL_DIR held: MLmodel, backup/model.pkl, model.pkl." in str(raised.value)
    assert "It was tried as heart-classifier/MLmodel, heart-classifier/backup/model.pkl" in str(raised.value)
    assert len(bench.notes("run")) == 0


def test_the_list_of_what_it_held_is_bounded(bench, tmp_path):
    folder = tmp_path / "many"
    folder.mkdir()
    for i in range(100):
        (folder / f"{i:03d}.bin").write_text("x")
    bench.write_files(1)
    with pytest.raises(ScriptError, match=r"000\.bin, .*, 019\.bin and 80 more") as raised:
        bench.run(
            bench.script(LOADING.format(path="os.environ['AZUREML_MODEL_DIR'] + '/model.pkl'")), model=str(folder)
        )
    assert len(str(raised.value)) < 3000


def test_the_cause_is_that_of_the_form_that_found_the_file(bench, heart):
    bench.write_files(1)
    script = bench.script("""
        def init():
            name = "-".join(["heart", "classifier"])
            with open(os.path.join(os.environ["AZUREML_MODEL_DIR"], name, "model.pkl")) as file:
                raise ValueError("of another version: " + file.read())

        def run(mini_batch):
            return mini_batch
    """)
    with pytest.raises(ScriptError, match=r"raised ValueError: of another version: the model"):
        bench.run(script, model=str(heart))


def test_a_missing_package_is_not_looked_for_twice(bench, heart):
    bench.write_files(1)
    script = bench.script("""
        note("load")
        import a_package_that_is_nowhere

        def run(mini_batch):
            return mini_batch
    """)
    with pytest.raises(
        ScriptError, match=r"No module named 'a_package_that_is_nowhere'.*Install the package"
    ) as raised:
        bench.run(script, model=str(heart))
    assert len(bench.notes("load")) == 1
    assert "AZUREML_MODEL_DIR" not in str(raised.value)


def test_a_script_that_wants_a_model_and_has_none_is_told_where_to_give_it(bench):
    bench.write_files(1)
    with pytest.raises(ScriptError, match=r"KeyError: 'AZUREML_MODEL_DIR'.*is set where a model is given: model="):
        bench.run(bench.script(LOADING.format(path="os.environ['AZUREML_MODEL_DIR']")))


@pytest.mark.parametrize(
    ("source", "is_named"),
    [("x = 'heart'", True), ("x = 'a/heart/b'", True), ("x = 'heartbeat'", False), ("x = '*/x'", True),
     ("x = '**/x'", False), ("x = '/*.pkl'", False), ("x = sorted(os.listdir(d))[0]", True),
     ("x = list(p.glob('*.pkl'))[0]", False), ("x = 1 +", False), ("x = d['a'][0]", False)],
)  # fmt: skip
def test_which_form_is_first_is_read_from_the_script(tmp_path, source, is_named):
    model = tmp_path / "heart"
    model.mkdir()
    choices = model_folder(model, [source]).choices
    assert choices == ((str(tmp_path), str(model)) if is_named else (str(model), str(tmp_path)))
