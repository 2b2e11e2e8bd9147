"""The card of a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_batch_inference.plugin.html import (
    MOST_CHARACTERS,
    NONE,
    details,
    digest,
    facts,
    heading,
    names,
    number,
    section,
    share,
    size,
    table,
    text,
)
from airflow_batch_inference.plugin.style import STYLE

if TYPE_CHECKING:
    from airflow_batch_inference.records import ColumnContract, ModelRecord

__all__ = ["STYLE", "content"]

_MOST_INPUTS = 60
_TRUST = {
    "data": "Its format cannot hold code.",
    "allow-list": "Its format can hold code; all types in it were allowed.",
    "sha256": "Its format can hold code; the task pinned its digest.",
    "config": "Its format can hold code; the deployment's config lists its digest.",
    "signature": "Its format can hold code; its signature was verified.",
    "dag": "It is a function of the DAG itself.",
}


def content(model: ModelRecord) -> str:
    """Return the page's content."""
    told = facts(
        {
            "Flavor": text(model.flavor),
            "Format": text(model.format),
            "Size": size(model.size_bytes),
            "Inputs": number(len(model.inputs) if model.inputs is not None else model.n_features),
            "Classes": number(len(model.classes)) if model.classes else "",
            "SHA-256": digest(model.sha256),
            "Tag": text(model.tag) if model.tag else "",
        }
    )
    head = heading(text(model.name), "none", text(_TRUST[model.trust]), place="Model")
    return (
        f"{head}{told}{_inputs(model)}"
        f'<div class="two">{section("Outputs", _outputs(model))}{section("Versions", _versions(model))}</div>'
        f"{section('Trust and pins', _trust(model))}{section('Where it lies', _places(model))}"
    )


def _inputs(model: ModelRecord) -> str:
    if not model.inputs:
        number_of = "" if model.n_features is None else f" It takes {model.n_features:,} numbers, by position."
        return section("Inputs", f'<p class="w">The model has no names for its inputs.{number_of}</p>')
    known = {contract.name: contract for contract in model.contract}
    heads = ["#", "Column", "Type"]
    if known:
        heads += ["In the training data", "#Missing there"]
    rows = (
        [str(place), text(column.name, 80), f"<code>{text(column.type, 60)}</code>"]
        + (_contract(known.get(column.name)) if known else [])
        for place, column in enumerate(model.inputs[:_MOST_INPUTS], start=1)
    )
    return section("Inputs", table(heads, rows, of=len(model.inputs)))


def _contract(known: ColumnContract | None) -> list[str]:
    if known is None:
        return [NONE, NONE]
    if known.categories is not None:
        seen = names(known.categories, 6)
    elif known.minimum is not None and known.maximum is not None:
        seen = f"{number(known.minimum)} to {number(known.maximum)}"
    else:
        seen = NONE
    return [seen, share(known.null_fraction, 1)]


def _outputs(model: ModelRecord) -> str:
    return details(
        {
            "Outputs": names(model.output_names, 12) if model.output_names else "",
            "Classes": names(model.class_names or model.classes or (), 12),
            "Written as": names(model.label_columns, 12) if model.label_columns else "",
        }
    )


def _versions(model: ModelRecord) -> str:
    return details({name: text(version, 60) for name, version in list(model.versions.items())[:12]})


def _trust(model: ModelRecord) -> str:
    options = ", ".join(f"{name}={value!r}" for name, value in model.load_options.items())
    return details(
        {
            "SHA-256": f"<code>{text(model.sha256)}</code>",
            "Trusted because": text(_TRUST[model.trust]),
            "Trusted by": text(model.trusted_by) if model.trusted_by else "",
            "Allowed types": names(model.trusted_types, 12) if model.trusted_types else "",
            "Load options": text(options, 300) if options else "",
            "Golden set": "checked at each load" if model.golden_uri else "",
        }
    )


def _places(model: ModelRecord) -> str:
    return details(
        {
            "Model": f"<code>{text(model.model_uri, 2 * MOST_CHARACTERS)}</code>",
            "Connection": text(model.conn_id) if model.conn_id else "",
            "Baseline": f"<code>{text(model.baseline_uri, 2 * MOST_CHARACTERS)}</code>" if model.baseline_uri else "",
            "Golden set": f"<code>{text(model.golden_uri, 2 * MOST_CHARACTERS)}</code>" if model.golden_uri else "",
        }
    )
