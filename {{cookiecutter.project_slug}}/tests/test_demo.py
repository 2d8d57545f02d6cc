"""`make demo` on this project: every group calls every route over HTTP."""

from __future__ import annotations

import pytest

from app import create_app
from cognises.access import report
from cognises.testing import isolated


@pytest.mark.usefixtures("local_environment")
def test_every_answer_over_http_agrees_with_groups_json(capsys: pytest.CaptureFixture[str]) -> None:
    from local_aws import demo

    code = demo.run()

    printed = capsys.readouterr().out
    assert code == 0, printed
    assert "answers agree with groups.json." in printed
    left_out = ("signin", "static")
    called = [
        f"{row.method} {row.path} "
        for row in report(create_app(isolated())).rows
        if "<" not in row.path and not set(row.endpoint.split(".")) & set(left_out)
    ]
    assert called
    assert [route for route in called if f"\n{route}" not in printed] == []
