"""One company's ConnectWise: asking until an answer can be believed, or an error says what to do next.

Retries, the shared budget and the codebase live here; what an answer means is decided by avesa.connectors.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from avesa.application.page_checks import check_content, check_order
from avesa.application.tally import Tally
from avesa.connectors import connectwise
from avesa.connectors.pages import split_page
from avesa.domain.errors import SourceError, TablePermanentError, TransientSourceError
from avesa.ports.source import HttpRequest, HttpResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence

    from avesa.connectors.connectwise import Credentials
    from avesa.connectors.pages import Page
    from avesa.connectors.settings import Endpoint, Limits
    from avesa.domain.model import Window
    from avesa.ports.source import RequestBudget, Transport
    from avesa.ports.tables import SplitPage
    from avesa.ports.time import Clock
    from avesa.ports.work import EventSink, Executor

T = TypeVar("T")

_NOT_FOUND: Final = 404
_BACKOFF_BASE_SECONDS: Final = 0.5
_BACKOFF_CAP_SECONDS: Final = 30.0
_THROTTLE_PATIENCE: Final = 4
"""A throttled request may be tried this many times as often as a failing one: the site is well, only busy."""
_IDS_PER_REQUEST: Final = 150
"""Ids of up to ten digits that fit an address of 2,000 characters, the guide's advice."""

P = TypeVar("P", bound="SplitPage")


@dataclass(frozen=True, slots=True, kw_only=True)
class IdRange:
    """Ids in (after, upto]; None is open."""

    after: int | None = None
    upto: int | None = None


@dataclass(frozen=True, slots=True)
class Answer(Generic[P]):
    """An answer's page, whether another follows and after which id, and the source's clock when it was asked."""

    page: P
    has_more: bool
    source_now: datetime
    resume_after: int | None = None
    """The last id of the page. A record that could not be read is passed by only where the source names its place."""


class Source:
    """Reads one company's endpoints. Safe to share between threads."""

    def __init__(  # noqa: PLR0913 - each is a port or a fact of the tenant
        self,
        credentials: Credentials,
        *,
        api_version: str,
        transport: Transport,
        budget: RequestBudget,
        clock: Clock,
        random: Callable[[], float],
        events: EventSink,
        codebases: MutableMapping[tuple[str, str], str],
        executor: Executor,
    ) -> None:
        self._credentials = credentials
        self._headers = credentials.headers(api_version)
        self._transport = transport
        self._budget = budget
        self._clock = clock
        self._random = random
        self._events = events
        self._codebases = codebases
        self._executor = executor
        self._company = (credentials.api_base_url, credentials.company_id)
        self.tally = Tally()

    def count(
        self, endpoint: Endpoint, limits: Limits, *, window: Window, ids: IdRange | None = None
    ) -> tuple[int, datetime]:
        """Return the source's own count of a window and id range, and the source's clock when it was asked."""
        span = ids or IdRange()
        text = _conditions(endpoint, window, span.after, span.upto)
        return self._ask(f"{endpoint.path}/count", _query(conditions=text), limits, read=self._read_count)

    def page(
        self, endpoint: Endpoint, limits: Limits, *, window: Window, ids: IdRange, split: Callable[[bytes], P]
    ) -> Answer[P]:
        """Return the first page of ids after `ids.after`, ascending by id, as `split` makes it of the answer's body."""
        return self._page(endpoint, limits, window=window, ids=ids, fields="", split=split)

    def ids(self, endpoint: Endpoint, limits: Limits, *, window: Window, ids: IdRange) -> Iterator[Page]:
        """Yield the pages of a window and id range, with the ids alone. Raises TablePermanentError if a page cannot be
        passed by.
        """
        after = ids.after
        while True:
            answer = self._page(
                endpoint, limits, window=window, ids=IdRange(after=after, upto=ids.upto), fields="id", split=split_page
            )
            yield answer.page
            if not answer.has_more:
                return
            if answer.resume_after == after:
                raise TablePermanentError(f"{endpoint.path}: no record of a page has an id, so nothing leads past it")
            after = answer.resume_after

    def records(self, endpoint: Endpoint, limits: Limits, wanted: Sequence[int], *, fields: str = "") -> Iterator[Page]:
        """Yield pages of those of the `wanted` records that the source still has.

        A page may hold fewer than were asked for, for whatever reason: the rest is asked for until none of it comes.
        """
        for start in range(0, len(wanted), _IDS_PER_REQUEST):
            pending = list(wanted[start : start + _IDS_PER_REQUEST])
            while pending:
                page = self._some(endpoint, limits, pending, fields)
                if page.records or page.rejected:
                    yield page
                found = {record.id for record in page.records}
                pending = [record_id for record_id in pending if record_id not in found] if found else []

    def _some(self, endpoint: Endpoint, limits: Limits, wanted: Sequence[int], fields: str) -> Page:
        query = _query(
            conditions=connectwise.conditions(ids=wanted),
            pageSize=str(limits.page_size),
            orderBy="id asc",
            fields=fields,
        )

        def read(response: HttpResponse) -> Page:
            page = split_page(response.body, drop_fields=endpoint.drop_fields)
            if not {record.id for record in page.records} <= set(wanted):
                raise TransientSourceError(f"{endpoint.path}: the page ignores the condition id in (...)")
            return page

        return self._ask(endpoint.path, query, limits, read=read)

    def id_at(self, endpoint: Endpoint, limits: Limits, *, window: Window, position: int) -> int | None:
        """Return the id of the `position`-th record (from 1) in order of id; None past the end."""
        query = _query(
            conditions=_conditions(endpoint, window, None, None),
            orderBy="id asc",
            fields="id",
            page=str(position),
            pageSize="1",
        )
        page = self._ask(endpoint.path, query, limits, read=lambda response: split_page(response.body))
        return page.records[0].id if page.records else None

    def _page(
        self,
        endpoint: Endpoint,
        limits: Limits,
        *,
        window: Window,
        ids: IdRange,
        fields: str,
        split: Callable[[bytes], P],
    ) -> Answer[P]:
        forward = endpoint.paging == "forward-only"
        after = None if forward else ids.after
        query = _query(
            conditions=_conditions(endpoint, window, after, ids.upto), fields=fields, pageSize=str(limits.page_size)
        )
        if forward and ids.after is not None:
            query["pageId"] = str(ids.after)
        if not forward:
            query["orderBy"] = "id asc"
        headers = {"pagination-type": "forward-only"} if forward else {}

        def read(response: HttpResponse) -> Answer[P]:
            page = split(response.body)
            check_order(page, endpoint.path, after=ids.after, upto=ids.upto)
            if not fields:
                check_content(page, endpoint.path)
            promised = connectwise.has_next(response.headers)
            is_empty = not page.ids and not page.rejected
            # A server that sends no Link header is asked until a page is empty, or has the last id that was asked for.
            is_last = bool(page.ids) and page.ids[-1] == ids.upto
            has_more = not is_empty and (not is_last if promised is None else promised)
            resume = page.ids[-1] if page.ids else ids.after
            told = connectwise.next_page_id(response.headers) if forward and page.rejected else None
            if told is not None and (resume is None or told > resume):
                resume = told
            return Answer(page, has_more, self._source_now(response), resume)

        return self._ask(endpoint.path, query, limits, read=read, headers=headers)

    def _read_count(self, response: HttpResponse) -> tuple[int, datetime]:
        try:
            count = json.loads(response.body)["count"]
        except (ValueError, KeyError, TypeError):
            count = None
        if not isinstance(count, int) or isinstance(count, bool) or count < 0:
            message = "the answer holds no count"
            raise TransientSourceError(message)
        return count, self._source_now(response)

    def _source_now(self, response: HttpResponse) -> datetime:
        """Return the source's clock when the request was sent: its Date less the time that the answer took."""
        try:
            at = parsedate_to_datetime(response.headers.get("date", ""))
        except ValueError:
            self._events.emit("source_clock_missing")
            at = self._clock.now()
        if at.tzinfo is None:
            at = at.replace(tzinfo=UTC)
        return at - timedelta(seconds=response.elapsed_seconds)

    def _ask(
        self,
        path: str,
        query: Mapping[str, str],
        limits: Limits,
        *,
        read: Callable[[HttpResponse], T],
        headers: Mapping[str, str] | None = None,
    ) -> T:
        """Return what `read` makes of the first believable answer; raise the last error when the tries are used up."""
        tries = throttles = 0
        while True:
            try:
                return self._once(path, query, limits, read=read, headers=headers or {})
            except TransientSourceError as error:
                tries, throttles = tries + (not error.is_throttled), throttles + error.is_throttled
                if tries >= limits.max_attempts or throttles >= limits.max_attempts * _THROTTLE_PATIENCE:
                    message = (
                        f"{_named(error, path)}; gave up after {tries + throttles} tries. Run again: it goes on "
                        "where it stopped"
                    )
                    raise TransientSourceError(message) from None
                self._wait(error, path, tries + throttles)

    def _wait(self, error: TransientSourceError, path: str, tries: int) -> None:
        backoff = min(_BACKOFF_CAP_SECONDS, _BACKOFF_BASE_SECONDS * 2 ** (tries - 1)) * (0.5 + self._random() / 2)
        seconds = max(error.retry_after_seconds or 0.0, 0.0 if error.retry_after_seconds else backoff)
        self.tally.retried(is_throttled=error.is_throttled)
        self._events.emit(
            "request_retried",
            path=path,
            tries=tries,
            wait_seconds=round(seconds, 2),
            throttled=int(error.is_throttled),
            reason=_named(error, path),
        )
        if error.is_throttled:
            self._budget.throttled(seconds)
            return  # the budget lets nobody of this company send before the time is up
        self._clock.sleep(seconds)

    def _once(
        self,
        path: str,
        query: Mapping[str, str],
        limits: Limits,
        *,
        read: Callable[[HttpResponse], T],
        headers: Mapping[str, str],
    ) -> T:
        codebase = self._resolved(limits)
        response = self._send(codebase, path, query, limits, headers)
        if response.status == _NOT_FOUND and self._moved(codebase, limits):
            # A cloud codebase changes at every upgrade: ask once more at the new place.
            response = self._send(self._resolved(limits), path, query, limits, headers)
        connectwise.check_answer(response.status, response.headers, response.body, path=path, now=self._clock.now())
        with self._executor.computing(len(response.body)):
            result = read(response)
        self._budget.succeeded()
        return result

    def _send(
        self, codebase: str, path: str, query: Mapping[str, str], limits: Limits, headers: Mapping[str, str]
    ) -> HttpResponse:
        url = connectwise.api_url(self._credentials.api_base_url, codebase, path, query)
        request = HttpRequest(
            method="GET", url=url, headers={**self._headers, **headers}, timeout_seconds=limits.timeout_seconds
        )
        return self._carried(request)

    def _carried(self, request: HttpRequest) -> HttpResponse:
        """Send within the budget; every request that leaves is counted here."""
        while True:
            self._executor.wait_for_room()
            with self._budget.slot():
                # The room may have gone while this waited for the slot; kept waiting here, it could outlive a pause.
                if self._executor.has_room:
                    return self.tally.send(self._transport, request)

    def _resolved(self, limits: Limits) -> str:
        known = self._codebases.get(self._company)
        if known is None:
            known = self._codebases[self._company] = self._look_up_codebase(limits)
        return known

    def _moved(self, known: str, limits: Limits) -> bool:
        if self._codebases.get(self._company) == known:
            self._codebases[self._company] = self._look_up_codebase(limits)
        return self._codebases[self._company] != known

    def _look_up_codebase(self, limits: Limits) -> str:
        url = connectwise.company_info_url(self._credentials.api_base_url, self._credentials.company_id)
        request = HttpRequest(method="GET", url=url, timeout_seconds=limits.timeout_seconds)
        response = self._carried(request)
        try:
            connectwise.check_answer(
                response.status, response.headers, response.body, path="login/companyinfo", now=self._clock.now()
            )
        except TablePermanentError as error:
            raise SourceError(f"{error}. Is CONNECTWISE_API_BASE_URL a ConnectWise site?") from None
        return connectwise.parse_codebase(response.body, self._credentials.company_id)


def _named(error: Exception, path: str) -> str:
    text = str(error)
    return text if path in text else f"{path}: {text}"


def _query(**values: str) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}


def _conditions(endpoint: Endpoint, window: Window, after_id: int | None, upto_id: int | None) -> str:
    return connectwise.conditions(
        field_name=endpoint.incremental_field, window=window, after_id=after_id, upto_id=upto_id
    )
