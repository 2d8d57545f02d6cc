"""docs/operating.md says what the code does."""

from __future__ import annotations

import json
import re
from pathlib import Path

from prometheus_client import Counter
from prometheus_client.metrics import MetricWrapperBase

from cognises.operation import logs, metrics
from cognises.settings.model import Settings
from cognises.settings.sources import PROJECT_FOLDER
from tests.cognises.operation.test_logs import record

PAGE = (PROJECT_FOLDER / "docs" / "operating.md").read_text(encoding="utf-8")


def rows(title: str) -> list[list[str]]:
    """The cells of the table under a heading, by row."""
    section = PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


def limit(what: str) -> str:
    """What the page says of it, by the first words of its row."""
    return next(cells[1] for cells in rows("Limits") if f"{cells[0]} ".startswith(f"{what} "))


def quoted(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def test_the_metrics_table_names_every_metric_and_its_labels():
    described = {quoted(cells[0])[0]: quoted(cells[1]) for cells in rows("Metrics")}
    counted = [value for value in vars(metrics).values() if isinstance(value, MetricWrapperBase)]

    assert described == {
        metric._name + ("_total" if isinstance(metric, Counter) else ""): list(metric._labelnames)
        for metric in counted
    }


def test_the_field_table_names_every_field_of_a_log_line():
    made = record(request_id="r-1", **dict.fromkeys(logs.FIELDS, "x"))
    try:
        raise ValueError
    except ValueError as error:
        made.exc_info = (type(error), error, error.__traceback__)
    written = json.loads(logs.JsonFormatter().format(made))

    assert {quoted(cells[0])[0] for cells in rows("Logs")} == set(written)


def test_the_limits_are_those_of_the_app():
    assert limit("form") == f"{logs.MAX_FORM_PARTS} parts"
    assert Settings(Path()).max_body_bytes == 1024 * 1024
    assert "1 MiB" in limit("body")
