"""A tap on singer-sdk: page after page, records as lines on standard output, read by singer_target.py."""

from __future__ import annotations

from common import HEADERS, PAGE, job
from singer_sdk import RESTStream, Tap
from singer_sdk import typing as th
from singer_sdk.pagination import BasePageNumberPaginator

WORK = job()


class Pages(BasePageNumberPaginator):
    """Pages by number, to the last one."""

    def has_more(self, response: object) -> bool:
        """Tell whether another page follows."""
        return "next" in response.links


class Tickets(RESTStream):
    """The tickets."""

    name = "tickets"
    path = "service/tickets"
    url_base = WORK.api.rstrip("/") + "/"
    primary_keys = ("id",)
    records_jsonpath = "$[*]"
    schema = th.PropertiesList(
        th.Property("id", th.IntegerType), th.Property("summary", th.StringType), th.Property("_info", th.ObjectType())
    ).to_dict() | {"additionalProperties": True}

    @property
    def http_headers(self) -> dict[str, str]:
        """The login."""
        return HEADERS

    def get_new_paginator(self) -> Pages:
        """Begin with the first page."""
        return Pages(start_value=1)

    def get_url_params(self, context: object, next_page_token: int | None) -> dict[str, object]:  # noqa: ARG002
        """Name the page."""
        return {"page": next_page_token or 1, "pageSize": PAGE, "orderBy": "id asc"}


class TicketTap(Tap):
    """The tap."""

    name = "tap-tickets"
    config_jsonschema = th.PropertiesList().to_dict()

    def discover_streams(self) -> list[Tickets]:
        """There is one stream."""
        return [Tickets(self)]


if __name__ == "__main__":
    TicketTap(config={}, parse_env_config=False).sync_all()
