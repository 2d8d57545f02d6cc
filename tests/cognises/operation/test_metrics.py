"""What is counted, under bounded labels, and who may read it."""

from __future__ import annotations

import pytest
from prometheus_client import REGISTRY

from cognises.operation import logs, metrics
from cognises.tokens import key_cache


@pytest.fixture
def client(operated):
    """A client of the service, with metrics on and their observers taken off again."""
    app = operated(COGNISES_METRICS_ADDRESS="127.0.0.1:9464")
    yield app.test_client()
    logs.observers.remove(metrics.observe_request)
    key_cache.fetch_observers.remove(metrics.observe_fetch)


class Socket:
    """The socket gunicorn shows."""

    def __init__(self, port: int) -> None:
        self._port = port

    def getsockname(self) -> tuple[str, int]:
        return ("127.0.0.1", self._port)


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0


def test_requests_decisions_and_key_fetches_are_counted(client, cognito):
    refused = {"decision": "refused", "reason": "forbidden"}
    before = value("cognises_decisions_total", **refused)
    allowed = value("cognises_decisions_total", decision="allowed", reason="none")
    fetched = value("cognises_key_fetches_total", result="ok")

    client.get("/guarded", headers=cognito.bearer(["viewers"]))
    client.get("/guarded", headers=cognito.bearer(["editors"]))

    assert value("cognises_decisions_total", **refused) == before + 1
    assert value("cognises_decisions_total", decision="allowed", reason="none") == allowed + 1
    assert value("cognises_key_fetches_total", result="ok") == fetched + 1
    assert value("cognises_keys_fetched_timestamp_seconds") > 1.7e9


def test_a_flood_of_made_up_addresses_and_methods_makes_no_new_labels(client):
    client.get("/a")
    client.open("/a", method="MADEUP0")
    before = len(next(iter(metrics.REQUESTS.collect())).samples)
    for number in range(50):
        client.open(f"/{number}", method=f"MADEUP{number}")

    assert len(next(iter(metrics.REQUESTS.collect())).samples) == before


def test_metrics_are_not_served_on_the_services_own_port(client):
    for environ in ({}, {"SERVER_PORT": "9464"}, {"gunicorn.socket": Socket(8000)}):
        answer = client.get("/metrics", environ_base=environ, headers={"Host": "localhost:9464"})
        assert answer.status_code == 404
        assert "cognises" not in answer.text


def test_the_metrics_port_serves_metrics_and_nothing_of_the_service(client):
    on_it = {"gunicorn.socket": Socket(9464)}

    answer = client.get("/metrics", environ_base=on_it)
    assert answer.status_code == 200
    assert "cognises_decisions_total" in answer.text
    for path in ("/", "/open", "/guarded", "/metrics/"):
        assert client.get(path, environ_base=on_it).status_code == 404
    assert client.post("/metrics", environ_base=on_it).status_code == 404


def test_no_metric_names_a_user(client, cognito):
    client.get("/guarded", headers=cognito.bearer(["editors"], email="ada@secret.example", sub="s"))

    text = client.get("/metrics", environ_base={"gunicorn.socket": Socket(9464)}).text
    assert "secret" not in text
    assert "ada" not in text
