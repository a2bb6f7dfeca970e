"""What a provider is told about whose call it is."""

from __future__ import annotations

from consensus.models.protocol import call_headers, call_id
from tests.ballots import request


def test_a_call_names_its_request_without_telling_it() -> None:
    """The same for every call of one request, another for each tenant and id, and neither can be read from it."""
    headers = call_headers(request(id="patient-4711"))
    assert headers == {"x-request-id": call_id("default", "patient-4711")}
    assert call_headers(request(id="patient-4711", domain="other")) == headers
    assert len({call_id("default", "patient-4712"), call_id("other", "patient-4711"), *headers.values()}) == 3
    assert "4711" not in headers["x-request-id"]
    assert len(headers["x-request-id"]) == 32


def test_tenant_and_id_cannot_run_into_one_another() -> None:
    assert call_id("a", "bc") != call_id("ab", "c")
