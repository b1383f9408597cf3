"""One message for a run that matters, and none for anything else."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from avesa.adapters.aws.messages import TopicMessages
from avesa.adapters.memory.events import RecordingSink
from avesa.domain.names import Environment


class Topic:
    """A client of SNS that remembers what was published, or refuses."""

    def __init__(self, *, refuses: bool = False) -> None:
        self.published: list[dict[str, Any]] = []
        self._refuses = refuses

    def publish(self, **message: object) -> None:
        if self._refuses:
            raise ClientError({"Error": {"Code": "AuthorizationError", "Message": "no"}}, "Publish")
        self.published.append(message)


@pytest.fixture
def log() -> RecordingSink:
    return RecordingSink()


def test_a_run_that_matters_is_told_with_its_reasons_and_where_to_read_on(log: RecordingSink) -> None:
    topic = Topic()
    messages = TopicMessages(topic, "arn:topic", Environment.DEV, log=log)

    messages.emit("run_matters", job_id="job-1", status="partial_success", reasons=["acme time/entries: 403"])
    messages.emit("job_finished", job_id="job-1", status="partial_success")

    (message,) = topic.published
    assert message["Subject"] == "AVESA dev: run job-1 partial_success"
    assert message["Message"].splitlines()[0] == "acme time/entries: 403"
    assert "docs/how-to/run-failed.md" in message["Message"]


def test_a_topic_that_refuses_is_told_to_the_log_and_stops_nothing(log: RecordingSink) -> None:
    messages = TopicMessages(Topic(refuses=True), "arn:topic", Environment.DEV, log=log)

    messages.emit("run_matters", job_id="job-1", status="failed", reasons=["x"])

    assert [name for name, _ in log.events] == ["message_not_sent"]
