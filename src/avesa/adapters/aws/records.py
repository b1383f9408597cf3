"""DynamoDB as the state adapters use it: items read consistently and in pages, writes under named conditions.

Records are the same JSON text that the SQLite adapter stores, in the attribute `value`.
"""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec
from botocore.exceptions import ClientError

from avesa.adapters.aws.refusals import code_of, refusals
from avesa.domain.errors import StorageError
from avesa.ports.decoding import decoder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import AttributeValueTypeDef, TransactWriteItemTypeDef

    from avesa.adapters.aws.tables import TableShape
    from avesa.domain.names import Environment

    Item = Mapping[str, AttributeValueTypeDef]

_Record = TypeVar("_Record")

CONDITION_FAILED: Final = "ConditionalCheckFailed"
MOST_ACTIONS: Final = 100
"""Actions that DynamoDB takes in one transaction."""
_MOST_KEYS: Final = 100
_CONFLICTS: Final = {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}
_CONFLICT_ERRORS: Final = {"TransactionConflictException", "TransactionInProgressException"}
_TRIES: Final = 12
_PAUSE_SECONDS: Final = 0.02
_LONGEST_PAUSE_SECONDS: Final = 1.0


class StateTables:
    """The state's tables of one environment. Safe to share between threads.

    Every method raises StorageError with the table, AWS's code and what to do.
    """

    def __init__(
        self,
        client: DynamoDBClient,
        environment: Environment,
        *,
        sleep: Callable[[float], None] = time.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._client = client
        self._environment = environment
        self._sleep = sleep
        self._chance = chance

    def name(self, shape: TableShape) -> str:
        """Return the table's name in this environment."""
        return shape.name(self._environment)

    def get(self, shape: TableShape, partition: str, sort: str) -> Item | None:
        """Return the item as the last write left it, or None."""
        with self._refusals(shape):
            answer = self._client.get_item(
                TableName=self.name(shape), Key=key_of(shape, partition, sort), ConsistentRead=True
            )
        return answer.get("Item")

    def get_many(self, shape: TableShape, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Item]:
        """Return the items of those keys that there are."""
        found: dict[tuple[str, str], Item] = {}
        for start in range(0, len(keys), _MOST_KEYS):
            found |= self._batch(shape, [key_of(shape, *key) for key in keys[start : start + _MOST_KEYS]])
        return found

    def put(self, shape: TableShape, item: Item) -> None:
        """Store the item, in place of an earlier one."""
        with self._refusals(shape):
            self._client.put_item(TableName=self.name(shape), Item=item)

    def update(
        self, shape: TableShape, partition: str, sort: str, *, change: str, condition: str | None, values: Item
    ) -> Item | None:
        """Change the item if the condition holds and return it as it is then; None when the condition does not hold.

        Waits and tries again while a transaction of somebody else holds the item.
        """
        request: dict[str, Any] = {"ExpressionAttributeValues": values}
        if condition is not None:
            request["ConditionExpression"] = condition
        if "#value" in change:
            # A word that DynamoDB keeps for itself, so that it cannot stand in an expression as it is.
            request["ExpressionAttributeNames"] = {"#value": "value"}
        for pause in self._pauses():
            try:
                with self._refusals(shape):
                    return self._client.update_item(
                        TableName=self.name(shape),
                        Key=key_of(shape, partition, sort),
                        UpdateExpression=change,
                        ReturnValues="ALL_NEW",
                        **request,
                    )["Attributes"]
            except StorageError as error:
                cause = _cause_code(error)
                if cause == "ConditionalCheckFailedException":
                    return None
                if cause not in _CONFLICT_ERRORS:
                    raise
            self._sleep(pause)
        raise self._busy(shape)

    def write_together(self, shape: TableShape, actions: Sequence[TransactWriteItemTypeDef]) -> list[str]:
        """Do all of the actions, or none when a condition does not hold; return then what each met, else [].

        Waits and tries again while other transactions hold one of the items.
        """
        for pause in self._pauses():
            try:
                with self._refusals(shape):
                    self._client.transact_write_items(TransactItems=actions)
            except StorageError as error:
                met = _met(error)
                if CONDITION_FAILED in met:
                    return met
                if not _CONFLICTS & set(met) and _cause_code(error) not in _CONFLICT_ERRORS:
                    raise
            else:
                return []
            self._sleep(pause)
        raise self._busy(shape)

    def query(self, shape: TableShape, **request: Any) -> Iterator[Item]:  # noqa: ANN401 - boto3's own parameters
        """Yield what a query finds, page after page."""
        return self._pages(shape, self._client.query, request)

    def scan(self, shape: TableShape) -> Iterator[Item]:
        """Yield every item, page after page."""
        return self._pages(shape, self._client.scan, {"ConsistentRead": True})

    def _pages(self, shape: TableShape, ask: Callable[..., Any], request: dict[str, Any]) -> Iterator[Item]:
        start: dict[str, Any] = {}
        while True:
            with self._refusals(shape):
                answer = ask(TableName=self.name(shape), **request, **start)
            # An empty page may still be followed by another one.
            yield from answer.get("Items", [])
            if not answer.get("LastEvaluatedKey"):
                return
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def _batch(self, shape: TableShape, keys: Sequence[Item]) -> dict[tuple[str, str], Item]:
        name = self.name(shape)
        found: dict[tuple[str, str], Item] = {}
        for pause in self._pauses():
            with self._refusals(shape):
                answer = self._client.batch_get_item(RequestItems={name: {"Keys": keys, "ConsistentRead": True}})
            for item in answer.get("Responses", {}).get(name, []):
                found[text(item, shape.partition_key), text(item, shape.sort_key)] = item
            left = answer.get("UnprocessedKeys", {})
            if name not in left:
                return found
            keys = left[name]["Keys"]
            self._sleep(pause)
        raise self._busy(shape)

    def _pauses(self) -> Iterator[float]:
        for attempt in range(_TRIES):
            yield min(_PAUSE_SECONDS * 2**attempt, _LONGEST_PAUSE_SECONDS) * (0.5 + self._chance() / 2)

    def _busy(self, shape: TableShape) -> StorageError:
        return StorageError(
            f"DynamoDB table {self.name(shape)}: other writers held the item {_TRIES} times in a row; run again"
        )

    def _refusals(self, shape: TableShape) -> Any:  # noqa: ANN401 - a context manager
        return refusals(f"DynamoDB table {self.name(shape)}")


def key_of(shape: TableShape, partition: str, sort: str) -> dict[str, AttributeValueTypeDef]:
    """Return the key of an item."""
    return {shape.partition_key: {"S": partition}, shape.sort_key: {"S": sort}}


def text(item: Item, name: str) -> str:
    """Return a string attribute; empty when there is none."""
    return str(item[name].get("S", "")) if name in item else ""


def number(item: Item, name: str) -> int:
    """Return a whole number; 0 when there is none."""
    return int(item[name].get("N", "0")) if name in item else 0


def encode(record: object) -> AttributeValueTypeDef:
    """Return the record as the JSON text that every state adapter stores."""
    return {"S": msgspec.json.encode(record).decode()}


def decode(value: str, kind: type[_Record], table: str) -> _Record:
    """Return the record that a stored text stands for; raise StorageError that names the table."""
    try:
        return decoder(kind).decode(value)
    except msgspec.DecodeError as error:
        raise StorageError(
            f"DynamoDB table {table}: a stored {kind.__name__} cannot be read ({error}); it was changed by hand, or by "
            "a newer version: put the item back from point-in-time recovery"
        ) from error


def _cause_code(error: StorageError) -> str:
    return code_of(error.__cause__) if isinstance(error.__cause__, ClientError) else ""


def _met(error: StorageError) -> list[str]:
    """Return what each action of a cancelled transaction met, in their order; [] when it was not cancelled."""
    cause = error.__cause__
    if not isinstance(cause, ClientError) or code_of(cause) != "TransactionCanceledException":
        return []
    reasons: Sequence[Mapping[str, str]] = cause.response.get("CancellationReasons", [])  # type: ignore[assignment]
    return [reason.get("Code", "None") for reason in reasons]
