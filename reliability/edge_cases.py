"""What becomes of each edge case of docs/reference/edge-cases.md when its handling is taken away.

Where the handling is that nothing is done (nothing cleaned, followed, inferred), the mutation does it.
"""

from __future__ import annotations

from typing import Final

from reliability.mutation import Mutation

_ODD: Final = "tests/flow/test_pipeline_edge_cases.py::test_an_odd_ticket_has_the_right_row"
_RAW: Final = "tests/flow/test_pipeline_edge_cases.py::test_raw_keeps_the_very_text_of_an_odd_ticket"
_PROJECTION: Final = "tests/unit/canonical/test_projection.py::"
_VALUES: Final = "tests/unit/canonical/test_values.py::"
_RUNS: Final = "tests/unit/application/test_runs.py::"
_CONNECTWISE: Final = "tests/unit/connectors/test_connectwise.py::"
_SOURCE: Final = "tests/unit/application/test_source.py::"


def _text(number: int, name: str, expression: str, odd: str) -> Mutation:
    """Make another text of every `value` that a text column reads."""
    where = '    if "\\0" in "".join(filter(None, column)):\n'
    return Mutation(
        name=f"edge case {number}: {name}",
        module="canonical/columns.py",
        old=where,
        new=f"    column = [value if value is None else {expression} for value in column]\n{where}",
        hunter=f"{_ODD}[{odd}]",
        edge_case=number,
    )


def _raw(number: int, name: str, expression: str, odd: str) -> Mutation:
    """Write something else than the `text` that came into raw."""
    return Mutation(
        name=f"edge case {number}: {name}",
        module="adapters/parquet/packing.py",
        old="    payloads = text_array(texts)\n",
        new=f"    import json\n    payloads = text_array([{expression}.encode() for text in map(bytes, texts)])\n",
        hunter=f"{_RAW}[{odd}]",
        edge_case=number,
    )


EDGE_CASES: Final = (
    Mutation(
        name="edge case 1: empty text is nothing",
        module="canonical/typed.py",
        old="            if type(values[index]) is int:\n                values[index] = str(values[index])\n",
        new="            values[index] = str(values[index]) if type(values[index]) is int else values[index] or None\n",
        hunter=f"{_PROJECTION}test_absent_and_null_are_null_and_fit_and_empty_text_stays",
        edge_case=1,
    ),
    Mutation(
        name="edge case 2: a record without a source time is not told",
        module="canonical/projection.py",
        old="        if coerced or source_time is None:\n",
        new="        if coerced:\n",
        hunter=f"{_PROJECTION}test_a_record_without_a_source_time_is_flagged_once",
        edge_case=2,
    ),
    _text(
        3, "a reference with id 0 points to nobody", 'value if value != "0" else None', "reference without _info, id 0"
    ),
    _raw(
        4,
        "raw leaves out what is null",
        "json.dumps({name: item for name, item in json.loads(text).items() if item is not None})",
        "customFields null",
    ),
    _raw(
        5,
        "raw makes whole numbers of a field that should have them",
        "json.dumps(json.loads(text, parse_float=lambda number: int(float(number))))",
        "customFields of every type",
    ),
    _raw(
        6,
        "raw keeps one custom field of a caption",
        'json.dumps((record := json.loads(text)) | {"customFields": [*{'
        'field["caption"]: field for field in record.get("customFields") or ()}.values()]})',
        "customFields of every type",
    ),
    Mutation(
        name="edge case 7: a number as text is no number",
        module="canonical/values.py",
        old="    bare = text.strip()\n",
        new="    return None\n    bare = text.strip()\n",
        hunter=f"{_VALUES}test_a_number_is_the_same_as_text",
        edge_case=7,
    ),
    Mutation(
        name="edge case 8: a double has a fraction",
        module="canonical/values.py",
        old="    if isinstance(number, (int, float)) and not isinstance(number, bool):\n",
        new="    if isinstance(number, float):\n",
        hunter=f"{_VALUES}test_numbers",
        edge_case=8,
    ),
    Mutation(
        name="edge case 9: what a float cannot hold is infinite",
        module="canonical/values.py",
        old="        if math.isfinite(nearest):\n",
        new="        if not math.isnan(nearest):\n",
        hunter=f"{_PROJECTION}test_numbers_past_their_column_are_null_and_flagged",
        edge_case=9,
    ),
    _text(
        10,
        "text is cut where the documentation ends it",
        "value[:100] if isinstance(value, str) else value",
        "text longer than documented",
    ),
    Mutation(
        name="edge case 11: a NUL stays in canonical text",
        module="canonical/values.py",
        old='        text = value.replace("\\0", "")\n',
        new="        text = value\n",
        hunter=f"{_PROJECTION}test_nul_characters_go_and_a_backslash_that_only_looks_like_one_stays",
        edge_case=11,
    ),
    _text(12, "characters that nobody sees go", 'value.replace("\\u200b", "")', "zero width and NBSP"),
    _text(13, "HTML is cleaned", '__import__("re").sub("<[^>]*>", "", value)', "HTML and backslashes"),
    _text(14, "a note ends after 64 KB", "value[:65536]", "a quarter of a megabyte"),
    _text(15, "text is ASCII", 'value.encode("ascii", "replace").decode()', "letters of the world"),
    _text(16, "a status loses its first mark", 'value.lstrip(">")', "status beginning with >"),
    Mutation(
        name="edge case 17: closed is inferred",
        module="mappings/canonical/tickets.json",
        old='"source": "closedDate"}',
        new='"source": ["closedDate", "_info/lastUpdated"]}',
        hunter=f"{_ODD}[closed by name alone]",
        edge_case=17,
    ),
    _text(18, "a name is cleaned of what is said of it", 'value.removesuffix(" (Inactive)")', "inactive contact"),
    Mutation(
        name="edge case 19: a link is content",
        module="mappings/canonical/tickets.json",
        old='"source": "closedBy"}',
        new='"source": ["closedBy", "_info/image_href"]}',
        hunter="tests/flow/test_pipeline.py::test_links_that_change_without_a_business_change_open_no_version",
        edge_case=19,
    ),
    Mutation(
        name="edge case 20: the same source time is the same content",
        module="adapters/delta/setwise.py",
        old="WHEN s.last_updated = n.last_updated AND {same} THEN",
        new="WHEN s.last_updated = n.last_updated THEN",
        hunter="tests/flow/test_pipeline_edge_cases.py::test_a_rename_in_a_reference_corrects_the_version_at_the_next_whole_read",
        edge_case=20,
    ),
    Mutation(
        name="edge case 21: the sweep does not read companies whole",
        module="application/planning.py",
        old="endpoint.reread_in_sweep",
        new="False",
        hunter="tests/flow/test_pipeline.py::test_a_merged_company_is_seen_by_the_sweep_although_its_time_did_not_move",
        edge_case=21,
    ),
    Mutation(
        name="edge case 22: what a list no longer has is still there",
        module="application/steps/reconcile.py",
        old="    gone = sorted(set(missing) - asked_again.found - asked_again.unreadable)\n",
        new="    gone: list[int] = []\n",
        hunter=f"{_RUNS}test_a_sweep_closes_what_is_gone_and_nothing_else",
        edge_case=22,
    ),
    Mutation(
        name="edge case 23: a merged ticket tells its parent's number",
        module="mappings/canonical/tickets.json",
        old='"source": "summary"}',
        new='"source": ["mergedParentTicket/id", "summary"]}',
        hunter=f"{_ODD}[merged parent that is missing]",
        edge_case=23,
    ),
    Mutation(
        name="edge case 24: the last range ends where the ids would without gaps",
        module="application/planning.py",
        old="    edges: list[int | None] = [None, *cuts, None]\n",
        new="    edges: list[int | None] = [None, *cuts, count]\n",
        hunter="tests/unit/application/test_planning.py::test_cut_covers_every_id_exactly_once",
        edge_case=24,
    ),
    Mutation(
        name="edge case 25: an increment begins after the second of the bookmark",
        module="application/planning.py",
        old="        return Window(since=state.bookmark_at - timedelta(minutes=overlap_minutes))\n",
        new="        return Window(since=state.bookmark_at + _SECOND)\n",
        hunter=f"{_RUNS}test_many_records_of_one_second_all_come",
        edge_case=25,
    ),
    Mutation(
        name="edge case 26: an increment begins at the bookmark",
        module="application/planning.py",
        old="        return Window(since=state.bookmark_at - timedelta(minutes=overlap_minutes))\n",
        new="        return Window(since=state.bookmark_at)\n",
        hunter=f"{_RUNS}test_a_commit_that_becomes_visible_late_is_covered_by_the_overlap",
        edge_case=26,
    ),
    Mutation(
        name="edge case 27: times are written with an offset",
        module="connectors/connectwise.py",
        old="%Y-%m-%dT%H:%M:%SZ}]",
        new="%Y-%m-%dT%H:%M:%S+00:00}]",
        hunter=f"{_CONNECTWISE}test_a_time_is_written_with_a_z_and_whole_seconds",
        edge_case=27,
    ),
    Mutation(
        name="edge case 28: >= with a date",
        module="connectors/connectwise.py",
        old="{field_name} > {time_literal(window.since)}",
        new="{field_name} >= {time_literal(window.since)}",
        hunter=f"{_CONNECTWISE}test_no_condition_uses_greater_or_equal",
        edge_case=28,
    ),
    Mutation(
        name="edge case 29: a codebase that moved is not looked up",
        module="application/source.py",
        old="        if response.status == _NOT_FOUND and self._moved(codebase, limits):\n",
        new="        if False and self._moved(codebase, limits):\n",
        hunter=f"{_SOURCE}test_a_codebase_that_moved_is_looked_up_and_asked_again",
        edge_case=29,
    ),
    Mutation(
        name="edge case 30: a redirect is an answer like any other",
        module="connectors/connectwise.py",
        old="    if status in _REDIRECTS:\n",
        new="    if False:\n",
        hunter=f"{_SOURCE}test_credentials_never_go_to_another_host",
        edge_case=30,
    ),
    Mutation(
        name="edge case 31: JSON that is cut is an empty page",
        module="connectors/pages.py",
        old="        raise TransientSourceError(message) from None\n",
        new="        return []\n",
        hunter="tests/unit/connectors/test_pages.py::test_a_page_cut_anywhere_is_never_taken_for_whole",
        edge_case=31,
    ),
    Mutation(
        name="edge case 32: a 500 is final",
        module="connectors/connectwise.py",
        old="    if status in _RETRIED or status >= _SERVER_ERROR:\n",
        new="    if status in _RETRIED:\n",
        hunter=f"{_CONNECTWISE}test_a_timeout_disguised_as_a_500_is_asked_for_again",
        edge_case=32,
    ),
    Mutation(
        name="edge case 33: the next page forgets the conditions",
        module="application/source.py",
        old='            query["pageId"] = str(ids.after)\n',
        new='            query = {"pageId": str(ids.after), "pageSize": str(limits.page_size)}\n',
        hunter=f"{_SOURCE}test_every_page_carries_the_filter",
        edge_case=33,
    ),
    Mutation(
        name="edge case 34: a short page is the last",
        module="application/source.py",
        old="            has_more = not is_empty and (not is_last if promised is None else promised)\n",
        new="            has_more = len(page.ids) >= limits.page_size\n",
        hunter=f"{_RUNS}test_a_server_that_caps_its_pages_loses_nothing",
        edge_case=34,
    ),
    Mutation(
        name="edge case 35: a query that times out has failed",
        module="connectors/connectwise.py",
        old="    if status in _RETRIED or status >= _SERVER_ERROR:\n",
        new="    if status in _RETRIED:\n",
        hunter="tests/flow/test_pipeline_edge_cases.py::test_a_wide_condition_that_times_out_once_is_asked_again",
        edge_case=35,
    ),
    Mutation(
        name="edge case 36: a table that fails ends its tenant",
        module="application/workflow.py",
        old="        except Exception as error:  # noqa: BLE001 - the local runner: one table's failure",
        new="        except ZeroDivisionError as error:  # one table's failure",
        hunter=f"{_RUNS}test_one_tables_403_leaves_the_others_completed",
        edge_case=36,
    ),
    Mutation(
        name="edge case 37: a page has no more than was asked for",
        module="application/source.py",
        old="            page = split(response.body)\n",
        new="            page = split(response.body)\n"
        '            if len(page.ids) > limits.page_size:\n                raise TransientSourceError("too much")\n',
        hunter=f"{_SOURCE}test_a_page_longer_than_asked_for_is_taken_whole",
        edge_case=37,
    ),
    Mutation(
        name="edge case 38: what seems gone is gone",
        module="application/steps/reconcile.py",
        old="    if is_too_much and not",
        new="    if False and not",
        hunter=f"{_RUNS}test_the_guard_holds_back_a_sweep_that_would_close_too_much",
        edge_case=38,
    ),
    Mutation(
        name="edge case 39: only all is too much",
        module="application/steps/reconcile.py",
        old="    is_too_much = len(gone) > len(current) * percent / 100 or len(gone) == len(current)\n",
        new="    is_too_much = len(gone) == len(current)\n",
        hunter=f"{_RUNS}test_a_role_that_hides_rows_looks_like_deletes_and_the_guard_refuses",
        edge_case=39,
    ),
    _raw(
        40,
        "raw has the fields that were known when this was written",
        'json.dumps({name: item for name, item in json.loads(text).items() if name != "aFieldOfNextYear"})',
        "fields of next year",
    ),
    Mutation(
        name="edge case 41: a date that is none is nothing to speak of",
        module="canonical/values.py",
        old="    if match is None:\n        return _UNFIT\n",
        new="    if match is None:\n        return None, True\n",
        hunter=f"{_VALUES}test_what_no_timestamp_can_hold_is_null_and_flagged",
        edge_case=41,
    ),
    Mutation(
        name="edge case 42: an id passes through a float",
        module="adapters/parquet/packing.py",
        old="else int(text) for at",
        new="else int(float(text)) for at",
        hunter="tests/flow/test_pipeline_edge_cases.py::test_ids_have_gaps_and_never_pass_through_a_float",
        edge_case=42,
    ),
    Mutation(
        name="edge case 43: amounts have no decimals",
        module="canonical/values.py",
        old="            return nearest + 0.0, True\n",
        new="            return float(round(nearest)), True\n",
        hunter=f"{_VALUES}test_numbers",
        edge_case=43,
    ),
    Mutation(
        name="edge case 44: hours end at nought",
        module="canonical/columns.py",
        old="[None if value is None else value + 0.0 for",
        new="[None if value is None else max(value, 0.0) for",
        hunter=f"{_ODD}[negative hours]",
        edge_case=44,
    ),
    Mutation(
        name="edge case 45: a codebase ends with two slashes",
        module="connectors/connectwise.py",
        old='codebase.rstrip("/") + "/"',
        new='codebase + "/"',
        hunter=f"{_CONNECTWISE}test_a_codebase_ends_with_exactly_one_slash",
        edge_case=45,
    ),
)
