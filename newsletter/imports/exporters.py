"""What other programs call the state of a subscriber. A word that is not listed here has no meaning: the editor is asked."""

import re
from dataclasses import dataclass

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _
from search.text import fold

from newsletter.imports.cells import NO_DATE


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
    "Mailchimp": _exporter(
        "memberrating optintime",
        "unsubcampaigntitle unsubcampaignid unsubreason unsubreasonother cleancampaigntitle cleancampaignid",
        says_it_in_the_file_name=True,
    ),
    "Brevo": _exporter("contactid email"),
    "listmonk": _exporter("uuid attributes"),
    "Ghost": _exporter("subscribedtoemails", "complimentaryplan"),
    "MailerLite": _exporter("subscriber subscribed", "subscribed"),
    "Buttondown": _exporter("subscribertype"),
    "HubSpot": _exporter("recordid unsubscribedfromallemail", "leadstatus marketingcontactstatus"),
    "Substack": _exporter("emaildisabled activesubscription", "activesubscription canceldate firstpaymentdate paidupgradedate"),
    "ActiveCampaign": _exporter("contactid status dateadded"),
}  # fmt: skip
# Some programs write the same headings: the one with more marks is the better guess.
_BY_MARKS = sorted(EXPORTERS.items(), key=lambda pair: -len(pair[1].marks))

_WORDS = {
    Meaning.ACTIVE: "active, activo, activa, ativo, ativa, subscribed, suscrito, suscrita, inscrito, inscrita, enabled, confirmed, confirmado, confirmada, regular, premium, gifted, yes, y, si, sim, true, 1, on, alta, opted in, opt in, optin",
    Meaning.LEFT: "unsubscribed, unsubscribe, unsub, non subscribed, nonsubscribed, not subscribed, disabled, inactive, inactivo, inactiva, inativo, inativa, left, baja, bajas, dado de baja, dada de baja, desuscrito, desuscrita, desinscrito, descadastrado, cancelado, cancelada, cancelled, canceled, opted out, opt out, optout, optedout, blocklisted, blacklisted, blocked, bloqueado, bloqueada, suppressed, removed, deleted, eliminado, excluido, archived, archivado, arquivado, churned, spam, spammy, junk, complained, complaint, complaining, abuse, queja, off, no, nao, n, false, 0, none, never",
    Meaning.BOUNCED: "bounced, bounce, hard bounced, hard bounce, hardbounced, hardbounce, soft bounce, soft bounced, cleaned, invalid, invalido, undeliverable, rebotado, rebotada, rebote, devuelto, devolvido",
    Meaning.UNCONFIRMED: "pending, pendiente, pendente, unconfirmed, not confirmed, no confirmado, nao confirmado, unactivated, opt in pending, optin pending, invited, awaiting confirmation",
}  # fmt: skip
WORDS = {word: meaning for meaning, text in _WORDS.items() for word in text.split(", ")}
YES, NO = {"yes", "y", "si", "sim", "true", "1", "on"}, {"no", "nao", "n", "false", "0", "off", "none", "never"}
EMPTY, DATE, OTHERS = "–", "(…/…/…)", "…"  # values that stand for many
DATE_FORM = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([T ].*)?", re.ASCII)
VALUES = 50  # different values of a column that are told apart; whatever comes after them is one more
NEGATIONS = {"no", "not", "non", "nao", "sin", "sem", "without", "never", "nunca"}

# Headings (folded, letters and digits only) by what their columns say.
BLOCK = re.compile(r"unsub|optout|optedout|blacklist|blocklist|blocked|disabled|deleted|bounce|clean(ed|time)|complain|complaint|spam|junk|archived|suppress|(?<!tra)baja|cancel|rebot|removed|donotemail|unconfirmed|desuscri|descadastr")  # fmt: skip
BOUNCE = re.compile(r"bounce|clean|rebot")
REASON = re.compile(r"reason|motivo|razon|razao")  # why somebody is blocked: who is not has none
YES_OR_NO = re.compile(
    r"subscribedtoemails|subscribed|suscrito|inscrito|optin|active|activo|ativo|confirmed|confirmado"
)
STATE = re.compile(rf"status|estado$|^state$|situacao|subscribertype|^({YES_OR_NO.pattern})$")
# A column of these tells by itself who gets the newsletter and who does not; the other ones name only some who do not.
TELLS_ALL = re.compile(
    rf"unsub|optout|optedout|blacklist|blocklist|emaildisabled|baja|desuscri|descadastr|{STATE.pattern}"
)


def program_of(keys):
    """The name of the program whose marks are all among the keys of the headings, or an empty string."""
    return next((name for name, exporter in _BY_MARKS if exporter.marks <= set(keys)), "")


def count(counts, value):
    """Count a value, and return what it was counted as."""
    value = value if value in counts or len(counts) < VALUES else OTHERS
    counts[value] = counts.get(value, 0) + 1
    return value


def value_of(text):
    """A cell of a status column reduced to what counts: folded words, without anything that could be an address."""
    text = text.strip()
    if not text or NO_DATE.fullmatch(text):
        return EMPTY
    if DATE_FORM.fullmatch(text):
        return DATE
    return " ".join(re.findall(r"[^\W_]+", fold(text)))[:40] or OTHERS


def word_of(value):
    """What a value means wherever it stands: `rebotado`, `Rebotados`; None if it is not known."""
    return WORDS.get(value) or WORDS.get(_singular(value))


def _singular(words):
    return re.sub(r"s\b", "", words)


def meaning_of(key, value):
    """The Meaning of a value in a column whose heading has this key; None if nobody but the editor can know."""
    if BLOCK.search(key):
        if value in NO or value == EMPTY:
            return Meaning.ACTIVE
        if value in YES or value == DATE or REASON.search(key):
            return Meaning.BOUNCED if BOUNCE.search(key) else Meaning.LEFT
        found = word_of(value)
        return found if found != Meaning.ACTIVE else None
    if value in YES | NO and not YES_OR_NO.fullmatch(key):
        return None
    return word_of(value)


def tells_all(keys):
    """Whether columns with these keys of headings say of everybody in a list whether they get the newsletter."""
    return any(map(TELLS_ALL.search, keys))


def meaning_of_file(names, program, has_states):
    """What a whole list is, as far as its names say it: those of its file (`unsubscribed_…`), its sheet, its column of addresses.

    A list without states that does not say that its people are subscribed has to be explained: None.
    """
    said = set().union(*map(_meanings_of_name, names))
    for meaning in (Meaning.LEFT, Meaning.BOUNCED, Meaning.UNCONFIRMED):
        if meaning in said:
            return meaning
    if has_states or (program and EXPORTERS[program].says_it_in_the_file_name and Meaning.ACTIVE in said):
        return Meaning.ACTIVE
    return None


def _meanings_of_name(name):
    """The Meanings of the words in a name, one to four together: `BajasDeMayo2023.csv`, `no confirmados`."""
    words = re.findall(r"[a-z]+", fold(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)))
    groups = (" ".join(words[start : start + size]) for size in range(1, 5) for start in range(len(words)))
    said = {word_of(group) for group in groups if len(group) > 3} - {None}
    if said - {Meaning.ACTIVE}:
        return said
    if BLOCK.search("".join(words)):
        return {Meaning.BOUNCED if BOUNCE.search("".join(words)) else Meaning.LEFT}
    return set() if NEGATIONS & set(words) else said
