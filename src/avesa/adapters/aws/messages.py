"""What people are told of a run, by the topic that alarms tell too: one message for a run in which something failed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from avesa.adapters.aws.refusals import refusals
from avesa.domain.errors import StorageError

if TYPE_CHECKING:
    from avesa.domain.names import Environment
    from avesa.ports.work import EventSink

_MATTERS: Final = "run_matters"
_LONGEST_SUBJECT: Final = 99
_LONGEST_MESSAGE: Final = 60_000
_RUNBOOK: Final = "docs/how-to/run-failed.md"


class TopicMessages:
    """Sends a message when a run matters. A topic that refuses is told to `log`, and the run's end stands."""

    def __init__(self, client: Any, topic_arn: str, environment: Environment, *, log: EventSink) -> None:  # noqa: ANN401 - one call; no types of SNS are installed
        self._client = client
        self._topic_arn = topic_arn
        self._environment = environment
        self._log = log

    def emit(self, event: str, **fields: object) -> None:
        if event != _MATTERS:
            return
        job_id, reasons = fields["job_id"], fields["reasons"]
        subject = f"AVESA {self._environment.value}: run {job_id} {fields['status']}"
        lines = [*(reasons if isinstance(reasons, list) else [reasons]), "", *self._advice(job_id)]
        try:
            with refusals(f"topic {self._topic_arn}"):
                self._client.publish(
                    TopicArn=self._topic_arn,
                    Subject=subject[:_LONGEST_SUBJECT],
                    Message="\n".join(map(str, lines))[:_LONGEST_MESSAGE],
                )
        except StorageError as error:
            self._log.emit("message_not_sent", job_id=job_id, reason=str(error))

    def _advice(self, job_id: object) -> list[str]:
        return [f"All of it: avesa job {job_id} --environment {self._environment.value}", f"What to do: {_RUNBOOK}"]
