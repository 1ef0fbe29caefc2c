"""Importing lists of subscribers: in batches, each one transaction together with the progress, so that nothing is taken
twice or lost when a worker dies. The dry run goes the same way and writes nothing."""

import csv
import ipaddress
import itertools
import logging
import os
import re
import sqlite3
import tempfile
import time
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import IO, Any

from core.countries import COUNTRIES
from core.models import Topic
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files import File
from django.db import IntegrityError, InterfaceError, OperationalError, transaction
from django.db.models import F, QuerySet, TextChoices
from django.db.models.fields.files import FieldFile
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext, override
from jobs import clock
from jobs.leases import claim
from redaction.text import BLANK, AddressPattern, addresses_in
from search.text import fold

from newsletter.imports import exporters, readers
from newsletter.imports.cells import EITHER, language, moment, order_in
from newsletter.imports.exporters import DATES, FILE, Meaning
from newsletter.imports.mapping import Column, mapping_of, telling_dates
from newsletter.models import ConsentEvent, ImportLine, Subscriber, SubscriberImport, Suppression, default_locale
from newsletter.models.imports import IMPORTS, name_for_upload, private_storage
from newsletter.subscribers import email_addresses, subscriptions

logger = logging.getLogger(__name__)
BATCH = 2000  # lines in one transaction
LEASE_SECONDS = 120
ORPHAN_AGE = timedelta(days=1)  # younger files may belong to an upload that is not committed yet
RACES = 25  # how often a batch is judged anew because somebody joined meanwhile, each time after a longer pause
State, Kind, Method = Subscriber.State, ConsentEvent.Kind, ConsentEvent.Method


class Outcome(TextChoices):
    """What becomes of a line."""

    NEW = "new", _("imported as active")
    LEFT = "left", _("kept as having left")
    BOUNCED = "bounced", _("kept as an address that does not work")
    KNOWN = "known", _("already on the list, unchanged")
    ENDED = "ended", _("had left, bounced or complained here before: not revived")
    SUPPRESSED = "suppressed", _("asked never to be mailed again: not taken")
    UNCONFIRMED = "unsure", _("never confirmed: not taken")
    UNDECIDED = "undecided", _("not taken: you have to say what its state means")
    BAD = "bad", _("not taken: something is wrong with the line")


STATES = {Outcome.NEW: State.ACTIVE, Outcome.LEFT: State.UNSUBSCRIBED, Outcome.BOUNCED: State.BOUNCED}
ENDS = {Outcome.LEFT: Kind.LEFT, Outcome.BOUNCED: Kind.BOUNCED}
ENDED_STATES = {State.UNSUBSCRIBED, State.BOUNCED, State.COMPLAINED}
INVISIBLE = re.compile(
    "[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufe0f]"
)  # what joins emoji, turns letters round, or shows nothing
ONE_A_LINE = _(
    "Several columns hold addresses, and no headings say whose. Please upload the list with one address a line."
)
DIVIDED = _(
    "Line %(number)s names no address, but says “%(words)s”. If it divides the list, please upload each part as a file of its own; if it is about one person, take it out."
)
REMARK = re.compile(r"[!#$%&*+/=?^`{|}~-]")  # allowed in an address, but nobody's begins so
LOOKS_LIKE_REMARK = _("This looks like a remark, not like an address to write to.")
SAYS_AN_END = _("“%(words)s” stands beside the address, in the name or among the topics: perhaps this person has left.")
PLAIN_TEXT = ("name", "first_name", "last_name", "language", "country")
TORN = _(
    "This line goes over several lines of the file, and a later one names an address: perhaps a quotation mark is missing."
)
SLIPPED = _("This line has more or fewer cells than the headings, so its state cannot be told.")
# The strongest first: what is not understood stops the line, whatever the other columns say.
BY_MEANING = [
    (None, Outcome.UNDECIDED),
    (Meaning.LEFT, Outcome.LEFT),
    (Meaning.BOUNCED, Outcome.BOUNCED),
    (Meaning.UNCONFIRMED, Outcome.UNCONFIRMED),
    (Meaning.ACTIVE, Outcome.NEW),
]


@dataclass
class Line:
    """A line of the file, understood."""

    number: int
    cells: list[str]
    outcome: Outcome = Outcome.BAD  # until the line is understood
    is_end: bool = False  # the file says that somebody left or bounced who is on the list
    reason: str = ""
    email: str = ""
    name: str = ""
    language: str = ""
    country: str = ""
    topics: tuple[int, ...] = ()
    asked_at: datetime | None = None
    confirmed_at: datetime | None = None
    origin: str = ""


class Reader:
    """Understands the lines of one import."""

    def __init__(self, job: SubscriberImport) -> None:
        self.job = job
        self.mapping = job.mapping
        self.topics: dict[str, int] = {}
        for topic in Topic.objects.select_related("locale"):
            source = topic.get_translation_or_none(default_locale()) or topic
            for word in (topic.name, topic.slug):
                self.topics[fold(word)] = source.pk
        self.countries: dict[str, str] = {}
        for code in settings.SITE_LANGUAGES:
            with override(code):
                self.countries |= {fold(str(name)): iso for iso, name in COUNTRIES.items()}
        self.counts: dict[str, dict[str, int]] = {column: dict(values) for column, values in job.values.items()}
        self.dates: Counter[str] = Counter()
        self.states = [(column, exporters.words_of(job.headings[column])) for column in self.mapping.get("status", [])]
        self.telling_dates = telling_dates(self.mapping, job.headings)
        self.file_meaning = job.file_meaning(self.mapping)
        self.last_state = max((column for column, _heading in self.states), default=-1)

    def read(self, number: int, cells: list[str]) -> Line:
        """The Line that `cells` say; its outcome is BAD, with a reason, if they make no sense."""
        line = Line(number, cells)
        try:
            self._check_shape(cells)
            self._check_words(cells)
            line.email = self._address(self._cell(cells, "email"))
            email_addresses.check_welcome(line.email)
            dates = [self._moment(self._cell(cells, what)) for what in ("asked_at", "confirmed_at")]
        except ValidationError as error:
            line.outcome, line.reason = Outcome.BAD, str(error.messages[0])
            return line
        line.name = self._name(cells)
        line.language = language(self._cell(cells, "language")) or self.job.language
        line.country = self._country(self._cell(cells, "country"))
        line.topics = tuple({self.topics[key] for tag in self._tags(cells) if (key := fold(tag)) in self.topics})
        line.asked_at, line.confirmed_at = dates
        line.origin = _network(self._cell(cells, "ip"))
        line.outcome = self._outcome(cells)
        return line

    def _check_shape(self, cells: list[str]) -> None:
        """Refuse a line whose cells may have slipped into other columns, or say more than the headings."""
        if isinstance(cells, readers.Torn):
            raise ValidationError(TORN)
        is_torn_off = self.job.encoding and self.states and len(cells) <= self.last_state
        if is_torn_off or any(map(str.strip, cells[len(self.job.headings) :])):
            raise ValidationError(SLIPPED)

    def _address(self, text: str) -> str:
        """The address in a cell. What is put before it takes it out of a list (`#`), what stands beside it may do so, too."""
        address = email_addresses.address_in(text)
        if REMARK.match(text) or REMARK.match(address) or address.startswith("'"):
            raise ValidationError(LOOKS_LIKE_REMARK)
        beside = text.replace(address, "") if address else ""
        if exporters.end_in(beside) or exporters.says_no(exporters.words_of(beside)):
            raise ValidationError(SAYS_AN_END % {"words": beside.strip(" <>")[:60]})
        return email_addresses.normalise(address)

    def _check_words(self, cells: list[str]) -> None:
        """Refuse a line that says among other things that somebody left: `Ana Quispe (BAJA)`, a topic `unsubscribed`."""
        texts = [self._cell(cells, what) for what in PLAIN_TEXT] + self._tags(cells)
        if words := next(filter(None, map(exporters.end_in, texts)), ""):
            raise ValidationError(SAYS_AN_END % {"words": words})

    def _cell(self, cells: list[str], what: str) -> str:
        column = self.mapping.get(what)
        return "" if column is None else _at(cells, column).strip()

    def _name(self, cells: list[str]) -> str:
        """The name; the surname stands in a column of its own in many lists, beside a column called “name”. Nobody is lost for a
        name that is refused."""
        first = self._cell(cells, "first_name") or self._cell(cells, "name")
        last = self._cell(cells, "last_name")
        name = " ".join([first] if fold(last) in fold(first) else [first, last])
        try:
            return email_addresses.clean_name(INVISIBLE.sub("", " ".join(name.split())))
        except ValidationError:
            return ""

    def _moment(self, text: str) -> datetime | None:
        """A date of the file, or None: there is none, or nobody knows yet whether its day or its month comes first."""
        told = order_in(text)
        if told:
            self.dates[told] += 1
        if told == EITHER and not self.job.order:
            return None
        try:
            return moment(text, self.job.order)
        except ValueError:
            raise ValidationError(_("This date makes no sense: %(date)s") % {"date": text[:40]}) from None

    def _country(self, text: str) -> str:
        return text.upper() if re.fullmatch(r"[A-Za-z]{2}", text) else self.countries.get(fold(text), "")

    def _tags(self, cells: list[str]) -> list[str]:
        text = self._cell(cells, "topics")
        return [word.strip() for word in re.split(r"[,;|]", text.replace('"', ""))] if text else []

    def _outcome(self, cells: list[str]) -> Outcome:
        meanings = {self._meaning(FILE, self.file_meaning, exporters.EMPTY)}
        for column, heading in self.states:
            value = exporters.value_of(_at(cells, column))
            meanings.add(self._meaning(str(column), exporters.meaning_of(heading, value), value))
        for column in self.telling_dates:
            is_empty = exporters.value_of(_at(cells, column)) == exporters.EMPTY
            value = exporters.EMPTY if is_empty else exporters.DATE
            name = f"{DATES}{column}"
            meanings.add(self._meaning(name, self.job.meaning_of(name, value), value))
        return next(outcome for meaning, outcome in BY_MEANING if meaning in meanings)

    def _meaning(self, column: str, proposed: Meaning | None, value: str) -> Meaning | None:
        """What a value means: what the editor said, else what is known. Counts it."""
        value = exporters.count(self.counts.setdefault(column, {}), value)
        if value == exporters.OTHERS:
            proposed = None
        said = self.job.meanings.get(column, {})
        if value in said:  # empty where the editor took back what was proposed
            return Meaning(said[value]) if said[value] else None
        return proposed


def _at(cells: list[str], column: int) -> str:
    """The cell of a column; empty if the line ends before it."""
    return cells[column] if column < len(cells) else ""


def _network(text: str) -> str:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return ""
    return str(ipaddress.ip_network((address, 24 if address.version == 4 else 48), strict=False))


class Seen:
    """The addresses of a dry run so far and their states, on disk, so that a long list takes no memory."""

    def __init__(self) -> None:
        self.database = sqlite3.connect("")  # a temporary file that vanishes by itself
        self.database.execute("CREATE TABLE seen (email TEXT PRIMARY KEY, state TEXT) WITHOUT ROWID")

    def states(self, emails: Sequence[str]) -> dict[str, str]:
        """{address: state} of those of `emails` that were added before."""
        marks = ",".join("?" * len(emails))
        return dict(self.database.execute(f"SELECT email, state FROM seen WHERE email IN ({marks})", emails))  # noqa: S608

    def add(self, states: Mapping[str, str]) -> None:
        """Add {address: state}."""
        self.database.executemany("INSERT OR REPLACE INTO seen VALUES (?, ?)", states.items())


def judge(lines: Iterable[Line], seen: Seen | None = None) -> None:
    """Decide the outcome of each of some Lines that make sense, by what the database (and a dry run so far) knows."""
    fair = [line for line in lines if line.outcome != Outcome.BAD]
    emails = list({line.email for line in fair})
    reasons = Suppression.reasons(emails)
    states = dict(Subscriber.objects.filter(email__in=emails).values_list("email", "state"))
    confirmed = _confirmed_here(emails, fair)
    if seen:
        states |= seen.states(emails)
    for line in fair:
        state, reason = states.get(line.email), reasons.get(line.email)
        if reason and reason != Suppression.Reason.ENDED:
            line.outcome = Outcome.SUPPRESSED
        elif line.outcome not in STATES:
            continue
        elif state in ENDED_STATES or (reason and not state):
            line.outcome = Outcome.ENDED
        elif state and (line.outcome == Outcome.NEW or line.email in confirmed):
            line.outcome = Outcome.KNOWN
        else:
            line.is_end = bool(state)
            states[line.email] = STATES[line.outcome]
    if seen:
        seen.add(states)


def _confirmed_here(emails: Iterable[str], lines: Iterable[Line]) -> set[str]:
    """Those of `emails` who confirmed on this site, which outweighs what another program's file says of them."""
    if all(line.outcome == Outcome.NEW for line in lines):
        return set()
    confirmed = ConsentEvent.objects.filter(kind=Kind.CONFIRMED, subscriber__email__in=emails)
    return set(confirmed.values_list("subscriber__email", flat=True))


class Overtaken(Exception):
    """Somebody changed meanwhile what the outcome of a line was judged by."""


def _write(job: SubscriberImport, lines: Iterable[Line]) -> None:
    """Write the subscribers, their proofs of consent and their topics: three statements, however many lines. Raises Overtaken.

    By address, so that two imports at once never wait for each other.
    """
    now = timezone.now()
    taken = sorted((line for line in lines if line.outcome in STATES), key=lambda line: line.email)
    fair = [line for line in taken if not line.is_end]
    people = Subscriber.objects.bulk_create(
        Subscriber(
            email=line.email,
            name=line.name,
            language=line.language,
            country=line.country,
            source=Subscriber.Source.IMPORT,
            state=STATES[line.outcome],
            is_disposable=email_addresses.is_disposable(line.email),
            created_at=line.asked_at or line.confirmed_at or now,
            confirmed_at=line.confirmed_at or line.asked_at or now if line.outcome == Outcome.NEW else None,
            ended_at=None if line.outcome == Outcome.NEW else now,
        )
        for line in fair
    )
    ConsentEvent.objects.bulk_create(
        ConsentEvent(
            subscriber=person,
            kind=Kind.IMPORTED,
            method=Method.IMPORT,
            happened_at=now,
            language=line.language,
            wording=job.provenance,
            origin=line.origin,
            detail=_place(job, line)[:250],
        )
        for person, line in zip(people, fair, strict=True)
    )
    link = Subscriber.topics.through
    link.objects.bulk_create(
        link(subscriber=person, topic_id=topic)
        for person, line in zip(people, fair, strict=True)
        for topic in line.topics
    )
    for line in taken:
        if line.is_end:
            _end(job, line)


def _end(job: SubscriberImport, line: Line) -> None:
    """End the subscription of somebody on the list of whom the file says that they left or bounced. Raises Overtaken."""
    subscriber = Subscriber.objects.filter(email=line.email).first()
    if subscriber is None:
        raise Overtaken
    subscriptions.end(subscriber, ENDS[line.outcome], Method.IMPORT, line.origin, detail=_place(job, line))


def _place(job: SubscriberImport, line: Line) -> str:
    return f"{job.file_name}, {line.number}"


class Lost(Exception):
    """The import was cancelled, or another worker has taken it up."""


def look(job: SubscriberImport) -> None:
    """Find out what a claimed import's file holds. Raises Lost, or ValidationError in the editor's language."""
    with override(job.editor_language), open_file(job) as file:
        try:
            table = readers.inspect(file)
        except ValidationError as error:
            raise ValidationError([str(message) for message in error.messages]) from error
        found = _read_columns(job, file, table)
        job.headings, job.origin = table.headings, table.program
        job.mapping = mapping_of(table.headings, found, table.program)
        job.file_name = " – ".join([job.file_name, *table.titles])[:200]
        values = {str(column): found[column].counts for column in job.mapping.get("status", [])}
        values |= {f"{DATES}{column}": _dates(found[column]) for column in telling_dates(job.mapping, job.headings)}
        _hold(
            job,
            state=SubscriberImport.State.UPLOADED,
            lease_until=None,
            file_name=job.file_name,
            headings=table.headings,
            sample=table.sample,
            first_line=table.first_line,
            encoding=table.encoding,
            delimiter=table.delimiter,
            origin=table.program,
            mapping=job.mapping,
            values={FILE: {exporters.EMPTY: job.lines}} | values,
            problem=_notes(table),
            lines=0,
            done_bytes=0,
        )


def _dates(column: Column) -> dict[str, int]:
    empty = column.counts[exporters.EMPTY]
    counts = {exporters.DATE: column.counts.total() - empty, exporters.EMPTY: empty}
    return {value: number for value, number in counts.items() if number}


def _notes(table: readers.Table) -> str:
    """What an editor has to know of a workbook. It is kept where errors are, which end an import."""
    notes = []
    if table.other_sheets:
        others = _("The workbook has other sheets, which are not imported: %(names)s.")
        notes.append(others % {"names": ", ".join(table.other_sheets)})
    if n := table.hidden_rows:
        hidden = ngettext(
            "%(n)s row is hidden and is imported, too.", "%(n)s rows are hidden and are imported, too.", n
        )
        notes.append(hidden % {"n": n})
    return " ".join(map(str, notes))


def _read_columns(job: SubscriberImport, file: IO[bytes], table: readers.Table) -> list[Column]:
    """What the columns of the whole file hold: a state may show only in its last line. Raises Lost."""
    found, job.lines = [Column() for _heading in table.headings], 0
    headings = [exporters.words_of(heading) for heading in table.headings]
    with readers.rows(file, table.encoding, table.delimiter) as lines:
        people = itertools.islice(enumerate(lines, 1), table.first_line, None)
        while batch := list(itertools.islice(people, BATCH)):
            for number, cells in batch:
                if not any(cells):
                    continue
                if words := _words_that_divide(headings, cells):
                    raise ValidationError(str(DIVIDED) % {"number": number, "words": words})
                job.lines += 1
                for column, cell in zip(found, cells, strict=False):
                    column.add(cell)
            lease_until = clock.now() + timedelta(seconds=LEASE_SECONDS)
            _hold(job, lines=job.lines, done_bytes=file.tell(), lease_until=lease_until)
    if not table.has_headings and sum(bool(column.addresses) for column in found) > 1:
        raise ValidationError(str(ONE_A_LINE))
    return found


def _words_that_divide(headings: Sequence[str], cells: Sequence[str]) -> str:
    """The words of leaving in a line that is nobody's, such as “Bajas:” above some people; empty for any other line.

    The line of a person without an address, whose column of states says it, divides nothing.
    """
    if any("@" in cell for cell in cells):
        return ""
    filled = [pair for pair in itertools.zip_longest(headings, cells, fillvalue="") if pair[1].strip()]
    if len(filled) > 1:
        filled = [(heading, cell) for heading, cell in filled if not exporters.is_of_states(heading)]
    return next(filter(None, (exporters.end_in(cell) for _heading, cell in filled)), "")


def work(job: SubscriberImport, seconds: float) -> bool:
    """Work on a claimed import for about `seconds`; return whether anything is left to do. Raises Lost.

    `job.lines` lines were done before; a batch's subscribers and the progress are committed together. A dry run is done in
    one go, and begins anew when its worker died.
    """
    is_trial = job.state == SubscriberImport.State.CHECKING
    if is_trial:
        _rewind(job)
    until = time.monotonic() + seconds
    seen = Seen() if is_trial else None
    with override(job.editor_language), open_file(job) as file:
        reader = Reader(job)
        with readers.rows(file, job.encoding, job.delimiter) as cells:
            numbered = itertools.islice(
                enumerate(cells, 1), job.first_line + job.lines, None
            )  # counted as a spreadsheet does
            while batch := list(itertools.islice(numbered, BATCH)):
                lines = [reader.read(number, row) for number, row in batch if any(row)]
                job.values = reader.counts
                job.dates = job.dates if job.state == SubscriberImport.State.IMPORTING else reader.dates
                _commit(job, lines, len(batch), file.tell(), seen)
                if not is_trial and time.monotonic() > until:
                    return True
    return False


def open_file(job: SubscriberImport) -> FieldFile:
    """The file of an import, open for reading. Raises Lost if the import has ended.

    An erasure may put another file in its place between two lines of this function, so it looks again.
    """
    attempts = 0
    while True:
        attempts += 1
        job.refresh_from_db(fields=["file", "encoding", "delimiter", "headings"])
        if not job.file:
            raise Lost
        try:
            return job.file.open("rb")
        except FileNotFoundError:
            if attempts == RACES:
                raise


def _rewind(job: SubscriberImport) -> None:
    job.bad_lines.all().delete()
    job.lines, job.done_bytes, job.counts, job.values, job.dates = 0, 0, {}, {}, {}


def _commit(job: SubscriberImport, lines: Sequence[Line], number: int, position: int, seen: Seen | None) -> None:
    """Judge a batch, write it unless it is a trial, and record the progress: all or nothing."""
    outcomes = [line.outcome for line in lines]
    for attempt in range(RACES):
        for line, outcome in zip(lines, outcomes, strict=True):
            line.outcome, line.is_end = outcome, False
        try:
            with transaction.atomic():
                judge(lines, seen)
                if job.state == SubscriberImport.State.IMPORTING:
                    _write(job, lines)
                _keep_bad(job, lines)
                _recheck(lines)
                _advance(job, lines, number, position)
            if seen:
                seen.database.commit()
            return
        except (IntegrityError, Overtaken):
            # Somebody joined, or was erased, with one of these addresses just now: judged again, that is known.
            if seen:
                seen.database.rollback()
            if attempt == RACES - 1:
                raise
            time.sleep(attempt / 100)


def _recheck(lines: Iterable[Line]) -> None:
    """Raise Overtaken if an address was suppressed, as by an erasure, since it was judged; none is until this commits."""
    judged = [line.email for line in lines if line.email and line.outcome != Outcome.SUPPRESSED]
    if Suppression.covers_until_commit(judged):
        raise Overtaken


def _keep_bad(job: SubscriberImport, lines: Iterable[Line]) -> None:
    """Keep the lines that are not taken, with the reason; of those who asked not to be mailed, only that there was one."""
    ImportLine.objects.bulk_create(
        ImportLine(
            job=job,
            number=line.number,
            outcome=line.outcome,
            reason=(line.reason or str(line.outcome.label))[:250],
            cells=[] if line.outcome == Outcome.SUPPRESSED else line.cells,
        )
        for line in lines
        if line.outcome not in STATES
    )


def _advance(job: SubscriberImport, lines: Iterable[Line], number: int, position: int) -> None:
    """Record the progress. `attempts` is the fence: it grows with each claim."""
    job.counts = dict(Counter(job.counts) + Counter(str(line.outcome) for line in lines))
    job.lines += number
    job.done_bytes = position
    _hold(
        job,
        lines=job.lines,
        done_bytes=job.done_bytes,
        counts=job.counts,
        values=job.values,
        dates=job.dates,
        lease_until=clock.now() + timedelta(seconds=LEASE_SECONDS),
    )


def _hold(job: SubscriberImport, **fields: Any) -> None:
    """Write `fields` to a claimed import. Raises Lost if this worker does not hold it any more."""
    if not SubscriberImport.objects.filter(pk=job.pk, attempts=job.attempts, state=job.state).update(**fields):
        raise Lost


def begin(
    job: SubscriberImport,
    state: SubscriberImport.State,
    mapping: dict[str, Any] | None = None,
    meanings: dict[str, dict[str, str]] | None = None,
    date_order: str = "",
    seen: int | None = None,
) -> bool:
    """Start the dry run (CHECKING), of other columns if `mapping` says so, or the import (IMPORTING), from the first line.

    `seen` is the number of the dry run that the editor looked at: of another one nothing is imported, nor of one that left
    something to decide. Returns whether its state allowed that.
    """
    sources = {
        SubscriberImport.State.CHECKING: [SubscriberImport.State.UPLOADED, SubscriberImport.State.CHECKED],
        SubscriberImport.State.IMPORTING: [SubscriberImport.State.CHECKED],
    }[state]
    with transaction.atomic():
        row = SubscriberImport.objects.select_for_update().get(pk=job.pk)
        if row.state not in sources:
            return False
        if state == SubscriberImport.State.IMPORTING and (
            Outcome.UNDECIDED in row.counts or row.is_order_unclear or (seen is not None and seen != row.attempts)
        ):
            return False
        row.date_order = date_order or (row.order or "" if state == SubscriberImport.State.IMPORTING else "")
        _rewind(row)
        row.state, row.lease_until = state, None
        row.mapping = row.mapping if mapping is None else mapping
        row.meanings = row.meanings if meanings is None else meanings
        row.save()
    return True


def cancel(job: SubscriberImport) -> bool:
    """Stop an import; what was imported stays. Returns whether its state allowed that."""
    ended = [SubscriberImport.State.DONE, SubscriberImport.State.CANCELLED]
    running = SubscriberImport.objects.filter(pk=job.pk).exclude(state__in=ended)
    return _close(running, state=SubscriberImport.State.CANCELLED, finished_at=timezone.now())


@transaction.atomic
def _close(imports: QuerySet[SubscriberImport], **fields: Any) -> bool:
    """Write `fields` to the one import of a queryset, if it is in it, and delete its file: it is kept no longer than the
    import needs it. Returns whether it was there."""
    job = imports.select_for_update(of=("self",)).first()
    if job is None:
        return False
    SubscriberImport.objects.filter(pk=job.pk).update(file="", sample=[], **fields)
    if name := job.file.name:
        transaction.on_commit(partial(job.file.storage.delete, name))
    return True


def work_on_next(seconds: float) -> bool:
    """Claim an import that waits for work and work on it for a while. Returns whether there was one."""
    waiting = SubscriberImport.objects.filter(state__in=SubscriberImport.WORKING)
    for job in claim(waiting, 1, LEASE_SECONDS):
        try:
            if job.state == SubscriberImport.State.LOOKING:
                look(job)
                return True
            is_left = work(job, seconds)
        except Lost:
            return True
        except ValidationError as error:
            _finish(job, SubscriberImport.State.FAILED, problem=" ".join(error.messages))
            return True
        except (OperationalError, InterfaceError):  # the database is unavailable: continued when the lease expires
            raise
        except Exception as error:
            logger.exception("Import %s stopped", job.pk)
            _finish(job, SubscriberImport.State.FAILED, problem=f"{type(error).__name__}: {error}")
            return True
        if is_left:
            SubscriberImport.objects.filter(pk=job.pk, attempts=job.attempts).update(lease_until=None)
        else:
            is_trial = job.state == SubscriberImport.State.CHECKING
            _finish(job, SubscriberImport.State.CHECKED if is_trial else SubscriberImport.State.DONE)
        return True
    return False


def _finish(job: SubscriberImport, state: SubscriberImport.State, problem: str = "") -> None:
    """End what a worker did with an import, if it still holds it."""
    held = SubscriberImport.objects.filter(pk=job.pk, attempts=job.attempts, state=job.state)
    fields = {
        "state": state,
        "finished_at": timezone.now(),
        "lease_until": None,
        "done_bytes": F("total_bytes"),
    } | ({"problem": problem} if problem else {})
    if state == SubscriberImport.State.CHECKED:
        held.update(**fields)
    else:
        _close(held, **fields)


def forecast(job: SubscriberImport) -> Iterator[str]:
    """Line by line what an import would do, as lines of CSV, in constant memory: (number, address, outcome, reason)."""
    writer = csv.writer(Echo())
    yield "\ufeff" + writer.writerow([_("Line"), _("E-mail"), _("Outcome"), _("Reason")])
    reader, seen = Reader(job), Seen()
    with open_file(job) as file, readers.rows(file, job.encoding, job.delimiter) as cells:
        numbered = itertools.islice(enumerate(cells, 1), job.first_line, None)
        while batch := list(itertools.islice(numbered, BATCH)):
            lines = [reader.read(number, row) for number, row in batch if any(row)]
            judge(lines, seen)
            for line in lines:
                yield writer.writerow([line.number, inert(line.email), line.outcome.label, line.reason or _slip(line)])


def _slip(line: Line) -> str:
    meant = email_addresses.suggestion(line.email)
    return _("perhaps %(address)s was meant") % {"address": meant} if meant else ""


class Echo:
    """What csv.writer writes to, to get each line back."""

    def write(self, text: str) -> str:
        return text


def bad_lines(job: SubscriberImport) -> Iterator[str]:
    """The lines that were not taken, with the reason, as lines of CSV with the file's own columns."""
    writer = csv.writer(Echo())
    yield "\ufeff" + writer.writerow([_("Line"), _("Reason"), *job.headings])
    for line in job.bad_lines.iterator(2000):
        yield writer.writerow([line.number, line.reason, *(inert(cell) for cell in line.cells)])


def inert(text: str) -> str:
    """A cell that no spreadsheet takes for a formula (OWASP: CSV injection), full-width and after control characters too."""
    start = unicodedata.normalize("NFKC", str(text)[:8]).lstrip()
    is_formula = start.startswith(("=", "+", "-", "@")) or str(text).startswith(("\t", "\r", "\n"))
    return f"'{text}" if is_formula or unicodedata.category((start or " ")[0]) in {"Cc", "Cf"} else text


# Forgetting


def mentions(pattern: AddressPattern) -> list[dict[str, Any]]:
    """What imports hold of an AddressPattern: a list of {"import": name of the file, "lines": their cells}."""
    found = []
    for job in SubscriberImport.objects.order_by("pk"):
        kept = [line.cells for line in _kept_lines(job, pattern)]
        rows = [row for row in _rows_of_file(job) if _names(pattern, row)]
        first = [job.headings] if _names(pattern, job.headings) and not job.file else []
        if kept or rows or first:
            found.append({"import": job.file_name, "lines": kept + first + rows})
    return found


def forget(pattern: AddressPattern) -> int:
    """Take an AddressPattern out of all imports: the lines that were kept, and the files of those that have not ended.

    In a file its rows become empty ones, so that the other people in it keep their rows and the numbers of these. Call it
    inside a transaction; returns the number of lines and files.
    """
    number = 0
    for job in SubscriberImport.objects.select_for_update(of=("self",)).order_by("pk"):
        for line in _kept_lines(job, pattern):
            ImportLine.objects.filter(pk=line.pk).update(cells=[])
            number += 1
        # The beginning of a name says what the list is, so no more is taken out than the address.
        name = pattern.removed_from_name(job.file_name)
        SubscriberImport.objects.filter(pk=job.pk).exclude(file_name=name).update(file_name=name)
        if _names(pattern, job.headings):  # a list without headings: its first line is taken for them
            SubscriberImport.objects.filter(pk=job.pk).update(headings=[BLANK] * len(job.headings))
            number += 1
        kept = [row for row in job.sample if not _names(pattern, row)]
        SubscriberImport.objects.filter(pk=job.pk).exclude(sample=kept).update(sample=kept)
        if any(_names(pattern, row) for row in _rows_of_file(job)):
            _rewrite(job, pattern)
            number += 1
    return number


def _kept_lines(job: SubscriberImport, pattern: AddressPattern) -> list[ImportLine]:
    lines = job.bad_lines.filter(cells__icontains=pattern.clue)
    return [line for line in lines if any(map(pattern.mentioned_in, line.cells))]


def _rows_of_file(job: SubscriberImport) -> Iterator[list[str]]:
    """The rows of an import's file, in constant memory; none without a file."""
    if not (name := job.file.name):
        return
    try:
        file = job.file.storage.open(name)
    except FileNotFoundError:
        return
    with file:
        if not job.encoding and not readers.is_xlsx(file):  # no table that is known: its lines, as they are
            file.seek(0)
            yield from ([line.decode("utf-8", "replace")] for line in file)
            return
        with readers.rows(file, job.encoding, job.delimiter) as rows:
            yield from rows


def _names(pattern: AddressPattern, row: Sequence[str]) -> bool:
    return pattern.clue in "\n".join(row).lower() and any(map(pattern.mentioned_in, row))


def _rewrite(job: SubscriberImport, pattern: AddressPattern) -> None:
    """Put a CSV file in the place of an import's file, with empty rows for those that name the address.

    A worker that reads the old one goes on with it; it finds the address suppressed.
    """
    with tempfile.NamedTemporaryFile("w+", encoding="utf-8", newline="", suffix=".csv") as file:
        writer = csv.writer(file)
        for number, row in enumerate(_rows_of_file(job)):
            if _names(pattern, row):
                row = ["" if number else BLANK] * len(row)
            writer.writerow(row)
        file.flush()
        size = os.path.getsize(file.name)
        with open(file.name, "rb") as written:
            name = job.file.storage.save(name_for_upload(job, file.name), File(written))
    SubscriberImport.objects.filter(pk=job.pk).update(
        file=name, encoding="utf-8", delimiter=",", total_bytes=size, done_bytes=0
    )
    transaction.on_commit(partial(job.file.storage.delete, str(job.file)))


def delete_orphans() -> int:
    """Delete files of no import: what an upload, or a change of a file, left behind that failed half-way. Returns their number."""
    storage, number = private_storage(), 0
    known = set(SubscriberImport.objects.exclude(file="").values_list("file", flat=True))
    _folders, names = storage.listdir(IMPORTS) if storage.exists(IMPORTS) else ([], [])
    for name in (f"{IMPORTS}/{name}" for name in names):
        if name not in known and timezone.now() - storage.get_modified_time(name) > ORPHAN_AGE:
            storage.delete(name)
            number += 1
    return number


def held() -> Iterator[str]:
    """The addresses in all imports, in lower case."""
    for cells in ImportLine.objects.filter(cells__icontains="@").values_list("cells", flat=True).iterator():
        yield from addresses_in(" ".join(cells))
    for job in SubscriberImport.objects.exclude(file=""):
        for row in _rows_of_file(job):
            yield from addresses_in(" ".join(row))
