"""airbyte-cdk, a declarative source: reads and counts; nothing is written, which is less than every other one does."""

from __future__ import annotations

from airbyte_cdk.models import ConfiguredAirbyteCatalogSerializer, Type
from airbyte_cdk.sources.declarative.concurrent_declarative_source import ConcurrentDeclarativeSource
from common import HEADERS, PAGE, done, job

PARAMETER = {"type": "RequestOption", "inject_into": "request_parameter"}


def main() -> None:
    """Read everything once."""
    work = job()
    stream = {
        "type": "DeclarativeStream",
        "name": "tickets",
        "primary_key": ["id"],
        "schema_loader": {"type": "InlineSchemaLoader", "schema": {"type": "object", "properties": {}}},
        "retriever": {
            "type": "SimpleRetriever",
            "record_selector": {"type": "RecordSelector", "extractor": {"type": "DpathExtractor", "field_path": []}},
            "requester": {
                "type": "HttpRequester",
                "url_base": work.api,
                "path": "service/tickets",
                "request_headers": HEADERS,
                "request_parameters": {"orderBy": "id asc"},
            },
            "paginator": {
                "type": "DefaultPaginator",
                "page_token_option": PARAMETER | {"field_name": "page"},
                "page_size_option": PARAMETER | {"field_name": "pageSize"},
                "pagination_strategy": {"type": "PageIncrement", "page_size": PAGE, "start_from_page": 1,
                                        "inject_on_first_request": True},
            },
        },
    }  # fmt: skip
    manifest = {
        "version": "7.0.0",
        "type": "DeclarativeSource",
        "check": {"type": "CheckStream", "stream_names": ["tickets"]},
        "streams": [stream],
        "spec": {"type": "Spec", "connection_specification": {"type": "object", "properties": {}}},
    }
    catalog = ConfiguredAirbyteCatalogSerializer.load(
        {
            "streams": [
                {
                    "stream": {"name": "tickets", "json_schema": {}, "supported_sync_modes": ["full_refresh"]},
                    "sync_mode": "full_refresh",
                    "destination_sync_mode": "overwrite",
                }
            ]
        }
    )
    source = ConcurrentDeclarativeSource(catalog=catalog, config={}, state=[], source_config=manifest)
    done(sum(message.type == Type.RECORD for message in source.read(source.logger, {}, catalog, [])))


if __name__ == "__main__":
    main()
