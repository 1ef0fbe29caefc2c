"""What other programs call the state of a subscriber. A word that is not listed here has no meaning: the editor is asked."""

import re
from dataclasses import dataclass

from core.search import fold
from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from newsletter.cells import NO_DATE


class Meaning(TextChoices):
    """What a value of a status column says about a person."""

    ACTIVE = "active", _("gets the newsletter")
    LEFT = "left", _("has left, complained or was blocked")
    BOUNCED = "bounced", _("the address does not work")
    UNCONFIRMED = "unconfirmed", _("never confirmed: not taken")


@dataclass(frozen=True)
class Exporter:
    """A program that exports lists: headings that only its files have, and its columns that look like states but are none."""

    marks: frozenset
    no_states: frozenset = frozenset()
    says_it_in_the_file_name: bool = False  # the same headings stand in a file of people who left


def _exporter(marks, no_states="", **fields):
    return Exporter(frozenset(marks.split()), frozenset(no_states.split()), **fields)


EXPORTERS = {
    "Mailchimp": _exporter("memberrating optintime", says_it_in_the_file_name=True),
    "Brevo": _exporter("contactid email"),
    "listmonk": _exporter("uuid attributes"),
    "Ghost": _exporter("subscribedtoemails"),
    "MailerLite": _exporter("subscriber subscribed", "subscribed"),
    "Buttondown": _exporter("subscribertype"),
    "HubSpot": _exporter("recordid unsubscribedfromallemail", "leadstatus marketingcontactstatus"),
    "Substack": _exporter("emaildisabled activesubscription", "activesubscription"),
    "ActiveCampaign": _exporter("contactid status dateadded"),
}
# Some programs write the same headings: the one with more marks is the better guess.
_BY_MARKS = sorted(EXPORTERS.items(), key=lambda pair: -len(pair[1].marks))

_WORDS = {
    Meaning.ACTIVE: "active, activo, activa, ativo, ativa, subscribed, suscrito, suscrita, inscrito, inscrita, enabled, confirmed, confirmado, confirmada, regular, premium, gifted, yes, y, si, sim, true, 1, on, alta, opted in, opt in, optin",
    Meaning.LEFT: "unsubscribed, unsubscribe, unsub, non subscribed, nonsubscribed, not subscribed, disabled, inactive, inactivo, inactiva, inativo, inativa, left, baja, bajas, dado de baja, dada de baja, desuscrito, desuscrita, desinscrito, descadastrado, cancelado, cancelada, cancelled, canceled, opted out, opt out, optout, optedout, blocklisted, blacklisted, blocked, bloqueado, bloqueada, suppressed, removed, deleted, eliminado, excluido, archived, archivado, arquivado, churned, spam, spammy, junk, complained, complaint, complaining, abuse, queja, off, no, nao, n, false, 0, none, never",
    Meaning.BOUNCED: "bounced, bounce, hard bounced, hard bounce, hardbounced, hardbounce, soft bounce, soft bounced, cleaned, invalid, invalido, undeliverable, rebotado, rebotada, rebote, devuelto, devolvido",
    Meaning.UNCONFIRMED: "pending, pendiente, pendente, unconfirmed, not confirmed, no confirmado, nao confirmado, unactivated, opt in pending, optin pending, invited, awaiting confirmation",
}  # fmt: skip
WORDS = {word: meaning for meaning, text in _WORDS.items() for word in text.split(", ")}
YES, NO = {"yes", "y", "si", "sim", "true", "1", "on"}, {"no", "nao", "n", "false", "0", "off"}
EMPTY, DATE, OTHERS = "–", "(…/…/…)", "…"  # values that stand for many
DATE_FORM = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([T ].*)?", re.ASCII)

BLOCK = re.compile(r"unsub|optout|optedout|blacklist|blocklist|blocked|disabled|deleted|bounce|clean(ed|time)|complain|complaint|spam|junk|archived|suppress|baja|cancel|rebot|removed|donotemail|unconfirmed|desuscri|descadastr")  # fmt: skip
BOUNCE = re.compile(r"bounce|clean|rebot")
STATE = re.compile(r"status|estado$|^state$|situacao|subscribertype|subscribedtoemails|^subscribed$|^suscrito$|^inscrito$|^optin$|^active$|^activo$|^ativo$|^confirmed$|^confirmado$")  # fmt: skip
NO_STATE = re.compile(r"campaign|reason|title|paid|payment|stripe|lead")


def program_of(keys):
    """The name of the program whose marks are all among the keys of the headings, or an empty string."""
    return next((name for name, exporter in _BY_MARKS if exporter.marks <= set(keys)), "")


def status_columns(keys):
    """The numbers of the columns that look like a state, a date of leaving or a block."""
    exporter = EXPORTERS.get(program_of(keys))
    no_states = exporter.no_states if exporter else frozenset()
    return [
        number
        for number, key in enumerate(keys)
        if (BLOCK.search(key) or STATE.search(key)) and not NO_STATE.search(key) and key not in no_states
    ]


def value_of(text):
    """A cell of a status column reduced to what counts: folded words, without anything that could be an address."""
    if not text.strip() or NO_DATE.fullmatch(text.strip()):
        return EMPTY
    if DATE_FORM.fullmatch(text.strip()):
        return DATE
    return " ".join(re.findall(r"[^\W_]+", fold(text)))[:40] or OTHERS


def meaning_of(key, value):
    """The Meaning of a value in a column whose heading has this key; None if nobody but the editor can know."""
    if BLOCK.search(key):
        if value in NO or value == EMPTY:
            return Meaning.ACTIVE
        if value in YES or value == DATE:
            return Meaning.BOUNCED if BOUNCE.search(key) else Meaning.LEFT
        found = WORDS.get(value)
        return found if found != Meaning.ACTIVE else None
    return WORDS.get(value)


def meaning_of_file(name, program):
    """What a whole file is, as far as its name says it (`unsubscribed_…`); None if it has to be asked."""
    words = re.findall(r"[a-z]+", fold(name))
    meanings = {WORDS[word] for word in words if word in WORDS and len(word) > 3}
    ends = meanings - {Meaning.ACTIVE}
    if ends:
        return next(meaning for meaning in (Meaning.LEFT, Meaning.BOUNCED, Meaning.UNCONFIRMED) if meaning in ends)
    is_open = program and EXPORTERS[program].says_it_in_the_file_name
    return None if is_open and "subscribed" not in words else Meaning.ACTIVE
