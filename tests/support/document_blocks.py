"""The code blocks of README.md and docs/, and what a document is asked for by the tests that run them."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
DOCS = REPOSITORY / "docs"
PAGES = ["README.md", *sorted(path.relative_to(REPOSITORY).as_posix() for path in DOCS.rglob("*.md"))]

RUN_ELSEWHERE = {
    "docs/airflow.md": "tests/operators/test_airflow_document.py",
    "docs/coming-from-azure-ml.md": "tests/operators/test_coming_from_azure_ml.py",
    "docs/coming-from-mlrun.md": "tests/dags/test_mlrun_guide.py",
    "docs/coming-from-wallaroo.md": "tests/operators/test_wallaroo_documents.py",
    "docs/functions.md": "tests/dags/test_score_functions.py",
    "docs/inference.md": "tests/operators/test_wallaroo_documents.py",
    "docs/tutorial.md": "tests/dags/test_tutorial.py",
}
"""Pages all of whose Python blocks are run by a test of their own, which looks at what comes out."""

NOT_RUN = {
    "skl2onnx.to_onnx(model, X[:1])": "skl2onnx is nobody's dependency here; tests/flavors writes ONNX files itself",
    'model.save("churn.keras")': "tests/flavors saves and loads Keras models; another TensorFlow costs 20 s",
    'model.export("churn")  # Keras': "the same, of SavedModel folders",
    'mlflow.xgboost.save_model(model, "churn")': "tests/flavors saves and loads MLflow folders",
    "FORMAT = ModelFormat(": "tests/flavors/test_third_party.py installs this flavor as a package",
}
"""The beginning of a line of each Python block that is only compiled, and why."""

_BLOCK = re.compile(r"^(?P<indent> *)```(?P<said>[^\n`]*)\n(?P<code>.*?)^(?P=indent)```", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block of a document; ``language`` is ``""`` where none is said."""

    page: str
    line: int
    language: str
    title: str | None
    code: str

    @property
    def name(self):
        return f"{self.page}:{self.line}"

    @property
    def is_dag_file(self):
        return self.language == "python" and "with DAG(" in self.code

    @property
    def has_tasks(self):
        return self.language == "python" and re.search(r"\w+Operator\(", self.code) is not None

    @property
    def reason_not_to_run(self):
        return next((reason for line, reason in NOT_RUN.items() if f"\n{line}" in f"\n{self.code}"), None)


def blocks_of(page):
    """Return the blocks of a page (its path in the repository), in order."""
    text = (REPOSITORY / page).read_text()
    found = []
    for match in _BLOCK.finditer(text):
        language, _, rest = match["said"].strip().partition(" ")
        title = re.search(r'title="(.*?)"', rest)
        line = text.count("\n", 0, match.start()) + 1
        code = textwrap.dedent(match["code"])
        found.append(Block(page, line, language, title and title[1], code))
    return found


BLOCKS = [block for page in PAGES for block in blocks_of(page)]


def commands(block):
    """Yield the command lines of a block: all lines of bash, those after ``$`` of a transcript, ours of any other."""
    for line in block.code.replace("\\\n", " ").splitlines():
        if block.language in ("bash", "sh", "shell"):
            yield line.strip()
        elif line.startswith("$ "):
            yield line.removeprefix("$ ").strip()
        elif block.language == "" and re.match(r"(airflow|python -m airflow_batch_inference|make|pip install) ", line):
            yield line.strip()
