"""What AWS is paid for, as numbers of operations, and what they cost at a list of prices that has a date."""

from __future__ import annotations

from dataclasses import dataclass, fields

HOURS_A_MONTH = 730


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations:
    """Operations that AWS counts and bills. Fractions are averages."""

    transitions: float = 0.0
    """States that standard state machines enter."""
    invocations: float = 0.0
    gb_seconds: float = 0.0
    """Memory times duration of functions."""
    s3_writes: float = 0.0
    """PUT and LIST requests, which have one price."""
    s3_reads: float = 0.0
    dynamodb_write_units: float = 0.0
    dynamodb_read_units: float = 0.0
    secret_reads: float = 0.0
    log_gb: float = 0.0

    def __add__(self, other: Operations) -> Operations:
        """Return both together."""
        return Operations(**{item.name: getattr(self, item.name) + getattr(other, item.name) for item in fields(self)})

    def times(self, factor: float) -> Operations:
        """Return as many of each, `factor` times over."""
        return Operations(**{item.name: getattr(self, item.name) * factor for item in fields(self)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """Dollars for one of each, in one region, at one date; no free tier and no discount."""

    as_of: str
    """The date of the price list, ISO."""
    region: str
    source: str
    state_transition: float
    invocation: float
    gb_second: float
    s3_write: float
    s3_read: float
    dynamodb_write_unit: float
    dynamodb_read_unit: float
    secret_read: float
    log_gb: float
    secret_month: float
    s3_gb_month: float
    dynamodb_gb_month: float
    metric_month: float
    alarm_month: float
    dashboard_month: float

    def of(self, operations: Operations) -> float:
        """Return what the operations cost."""
        return sum(dollars for _, dollars in self.parts(operations))

    def parts(self, operations: Operations) -> list[tuple[str, float]]:
        """Return what each kind of operation costs, under its name."""
        return [
            ("state transitions", operations.transitions * self.state_transition),
            ("function calls", operations.invocations * self.invocation),
            ("function time", operations.gb_seconds * self.gb_second),
            ("S3 writes and lists", operations.s3_writes * self.s3_write),
            ("S3 reads", operations.s3_reads * self.s3_read),
            ("DynamoDB writes", operations.dynamodb_write_units * self.dynamodb_write_unit),
            ("DynamoDB reads", operations.dynamodb_read_units * self.dynamodb_read_unit),
            ("secrets read", operations.secret_reads * self.secret_read),
            ("logs", operations.log_gb * self.log_gb),
        ]
