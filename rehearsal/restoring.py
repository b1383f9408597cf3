"""The commands of docs/how-to/restore.md, carried out after something was destroyed on purpose."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from rehearsal.proofs import expect
from rehearsal.scenes import rows
from rehearsal.world import TENANT

if TYPE_CHECKING:
    from rehearsal.scenes import Stage

UNDELETE: Final = (
    (
        "aws s3api list-object-versions --bucket data-storage-msp --prefix acme/canonical/tickets/ "
        "--query '{Objects: DeleteMarkers[?IsLatest].{Key: Key, VersionId: VersionId}}' --output json > markers.json"
    ),
    "aws s3api delete-objects --bucket data-storage-msp --delete file://markers.json",
)
POINT_IN_TIME: Final = (
    (
        "aws dynamodb restore-table-to-point-in-time --source-table-name TenantServices "
        "--target-table-name TenantServices-restored --use-latest-restorable-time"
    ),
    "aws dynamodb wait table-exists --table-name TenantServices-restored",
    (
        "aws dynamodb get-item --table-name TenantServices-restored "
        """--key '{"tenant_id": {"S": "acme"}, "service": {"S": "connectwise"}}' --query '{Item: Item}' > item.json"""
    ),
    "aws dynamodb put-item --table-name TenantServices --cli-input-json file://item.json",
    "aws dynamodb delete-table --table-name TenantServices-restored",
)
_ITEM: Final = """--key '{"tenant_id": {"S": "acme"}, "service": {"S": "connectwise"}}'"""


def restoring(stage: Stage) -> None:
    """A table's objects are deleted and come back; a tenant's registration is lost and comes back."""
    before = rows(stage, "--environment prod")
    expect(before["tickets"], "there are no tickets to lose")
    stage.does(f"aws s3 rm s3://data-storage-msp/{TENANT}/canonical/tickets/ --recursive --only-show-errors")
    gone = stage.world.run('avesa query "SELECT count(*) AS n FROM tickets" --environment prod --output json')
    expect(gone.status != 0 or json.loads(gone.out) == [{"n": 0}], "the tickets are not gone", gone)
    for command in UNDELETE:
        stage.does(command)
    expect(rows(stage, "--environment prod") == before, "the rows are not what they were")
    stage.does("avesa verify --environment prod --tenant-id acme")
    stage.says("deleted objects came back by their versions; every row is what it was")
    # The state as it is now is what the point in time has; then it is lost.
    stage.does(POINT_IN_TIME[0])
    stage.does(f"aws dynamodb delete-item --table-name TenantServices {_ITEM}")
    stage.refused("avesa run --environment prod --tenant-id acme", "unknown tenant 'acme'")
    for command in POINT_IN_TIME[1:]:
        stage.does(command)
    stage.does("avesa run --environment prod --tenant-id acme")
    stage.says("a lost registration came back from a point in time")
