"""What other programs call the state of a subscriber. A word that is not listed here has no meaning: the editor is asked."""

import re
from collections.abc import Collection, Iterable, MutableMapping
from dataclasses import dataclass

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _
from search.text import fold

from newsletter.imports.cells import NO_DATE, is_date


class Meaning(TextChoices):
    """What a value of a status column says about a person."""

    ACTIVE = "active", _("gets the newsletter")
    LEFT = "left", _("has left, complained or was blocked")
    BOUNCED = "bounced", _("the address does not work")
    UNCONFIRMED = "unconfirmed", _("never confirmed: not taken")


@dataclass(frozen=True)
class Exporter:
    """A program that exports lists: headings that only its files have, and its columns that look like states but are none."""

    marks: frozenset[str]
    no_states: frozenset[str] = frozenset()
    says_it_in_the_file_name: bool = False  # the same headings stand in a file of people who left


def _exporter(marks: str, no_states: str = "", **fields: bool) -> Exporter:
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
    "MailerLite": _exporter("subscriber subscribed"),
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
    Meaning.UNCONFIRMED: "pending, pendiente, pendente, unconfirmed, not confirmed, no confirmado, nao confirmado, sin confirmar, sem confirmar, unactivated, opt in pending, optin pending, invited, awaiting confirmation",
}  # fmt: skip
WORDS = {word: meaning for meaning, text in _WORDS.items() for word in text.split(", ")}
YES, NO = {"yes", "y", "si", "sim", "true", "1", "on"}, {"no", "nao", "n", "false", "0", "off", "none", "never"}
EMPTY, DATE, OTHERS = "–", "(…/…/…)", "…"  # values that stand for many
MANY = {EMPTY: _("(empty)"), DATE: _("(a date)"), OTHERS: _("(other values)")}  # how they are shown
FILE = "file"  # stands for a status column: what the whole file says about its people
DATES = "date"  # and its number: so does a column of dates, whose empty cells may be people who never confirmed
VALUES = 50  # different values of a column that are told apart; whatever comes after them is one more
NEGATIONS = {"no", "not", "non", "nao", "sin", "sem", "without", "never", "nunca"}
STARTS_WITH_NO = re.compile(r"(?:no|nao|not|don t|dont)\b(?! \d)")
WORD_ENDS = re.compile(r"(?<=[a-zà-ÿ])(?=[A-ZÀ-Ý])|(?<=[^\W\d_])(?=\d)|(?<=[A-ZÀ-Ý])(?=[A-ZÀ-Ý][a-zà-ÿ])")
ADDRESSES = re.compile(r"\S+://\S+|[^\s<>]+@[^\s<>]+")  # of pages and of people: their words are nobody's state

# Everything below is looked for in words_of() a text, where words begin.
GLUED = r"(?:is|has|was|e ?mail|correo|user|contact|hard|soft) ?"  # what programs glue to the front of a word
_ENDS = "|".join([
    r"unsub|un ?subscr|des+us?cri|desubscri|desinscri|descadastr|opt(?:s|ed|ing)? ?outs?\b|cancel|anulad|renunci",
    r"bajas?\b(?! (?:california|verapaz))|d(?:e|eu|ado|ada) baixa(?! renda)",
    r"rebot|bounc|undeliver|devuelt|devolvid|unconfirmed|unactivated",
    r"black ?list|block ?list|blocked|bloquead|spam(?:my)?\b|junk\b|complain|suppress|deleted?\b|disabled|deactivat|archived|removed?\b|removid|eliminad",
])  # fmt: skip
_NOTED = "|".join([  # as people note it in lists kept by hand
    r"(?:sacar|saquen|tirar|tirem|sair|salir|remover|taken?|took)\w* (?:\w+ ){0,4}(?:list|mailing)|(?:que|pidio|quiere) (?:(?:que )?l[oae]s? saquen|salir)|para sair\b|sali(?:o|eron)\b|(?:ex|former) (?:su[bs]*cri|inscri|assinant)|desinscrev",
    r"falleci|faleceu|murio\b|difunt[oa]\b|morreu|recha(?:z|c)|bloque(?:o|ou|ar)\b|recus(?:ou|ad[oa])\b|rejeit|reject|declined|revo(?:co\b|cad|gad|gou|ked)|withdr[ae]w|se quejo\b|reclam(?:o|ou)\b|denunci(?:o|ou|ad[oa])\b",
    r"lista (?:negra|robinson)|vetad[oa]\b|exclu(?:sion|sao|ded)\b|papelera|lixeira|quejoso|queixa|indesejad|dnc\b|trashed|chega de|(?:cuenta|conta|account|casilla|buzon) (?:\w+ )?(?:cerrad|encerrad|closed)|(?:no|nao) ma[is]s?(?: (?:correo|e ?mail|mensa|boleti)\w*)?$",
    r"errad[oa]\b|errone[oa]|equivocad|incorr?et[oa]\b|incorrect|(?:wrong|bad|dead) (?:e ?mail|address)|devuelve|devolve|unverified|(?:por|falta|aguardando|esperando|awaiting) (?:de )?confirma",
])  # fmt: skip
_MAILING = r"molest|incomod|autori[sz]|consent|consient|permis|verif|entreg|deliver|lleg[ao]|cheg[ao]|trabaj|trabalh|envi|escrib|escrev|mand[ae]|e ?mail|mail|news|correo|boletin|boletim|send|writ|contact|recib|receb|su[bs]*cri|inscri|confirm|optin|opt in|quier|quer|dese[aj]|acept|aceit|accept|activ|ativ|interes|exist|funcion|vigent"
# A cell, or a part of it, that says that somebody left, bounced or never confirmed, or wants no mail.
END_PHRASE = re.compile(
    rf"(?:\b(?:{GLUED})?(?:{_ENDS})|\b(?:{_NOTED}|retir|elimin|suprimid|borra[dr]|quitar|desactiv|desativ|suspend|suspens|archivad|arquivad|invalid[oa]?\b|stop\b|left the|se fue|salio de|saiu|dejo de|desligad|fal+ecid|deceased|exclui|inactiv|inativ|pend(?:ing|ientes?|entes?)\b|on hold|ya no|nao mais)"
    rf"|\b(?:no|nao|not|non|never|nunca|don t|dont|sin|sem)(?: (?:\w+ ){{0,2}})?(?:{_MAILING}))\w*"
)
# Headings by what their columns say.
BLOCK = re.compile(rf"\b(?:{GLUED})?(?:{_ENDS}|clean(?:ed|s)?(?: |$|time)|do ?not ?e?mail)")
BOUNCE = re.compile(rf"\b(?:{GLUED})?(?:bounc|clean|rebot)")
REASON = re.compile(r"\b(?:reason|motivo|razon|razao)")  # why somebody is blocked: who is not has none
YES_OR_NO = re.compile(
    r"subscribed to emails|subscribed|suscrit[oa]|inscrit[oa]|opt ?in|active|activ[oa]|ativ[oa]|confirmed|confirmad[oa]"
)
STATE = re.compile(
    rf"\bstatus\b|\bestado(?: d\w+ .*)?$|^state$|\bsituac(?:ion|ao)\b|subscriber type|^(?:{YES_OR_NO.pattern})$"
)
OTHER_CHANNELS = re.compile(
    r"^(?!.*\b(?:e?mail|correo|boletin|newsletter)).*\b(?:sms|whats ?app|telefon\w*|(?:tele)?phone|celular|movil|mobile|number of|numero de|(?:bounce ?)?count)\b"
)
# A column of these tells by itself who gets the newsletter and who does not; the other ones name only some who do not.
_OF_MAIL = r"(?:(?:sub?scri|inscri)\w*|e|e?mails?|correos?|member|contact\w*|list[as]?|newsletter|global|stop|de|do|da|del|la|el|en|o|a)"
TELLS_ALL = re.compile(
    rf"\b(?:{GLUED})?(?:unsub|opt(?:ed)? ?out|black ?list|block ?list|bajas?\b|desuscri|descadastr)|\bemail ?disabled"
    rf"|^(?:{_OF_MAIL} )*(?:status|estado|state|situacion|situacao|subscriber type)(?: {_OF_MAIL})*$|^(?:{YES_OR_NO.pattern})$"
)


def program_of(keys: Collection[str]) -> str:
    """The name of the program whose marks are all among the keys of the headings, or an empty string."""
    return next((name for name, exporter in _BY_MARKS if exporter.marks <= set(keys)), "")


def count(counts: MutableMapping[str, int], value: str) -> str:
    """Count a value, and return what it was counted as."""
    value = value if value in counts or len(counts) < VALUES else OTHERS
    counts[value] = counts.get(value, 0) + 1
    return value


def words_of(text: str) -> str:
    """A text as folded words with a space between them; CamelCase, names_with_underscores and BAJAS2022 are several."""
    return _folded(WORD_ENDS.sub(" ", text))


def _folded(text: str) -> str:
    return " ".join(re.findall(r"[^\W_]+", fold(text)))


def value_of(text: str) -> str:
    """A cell of a status column reduced to what counts: folded words, without anything that could be an address; or its signs."""
    text = text.strip()
    if not text or NO_DATE.fullmatch(text):
        return EMPTY
    if is_date(text):
        return DATE
    if words := _folded(text):
        return words[:40]
    return OTHERS if text in {EMPTY, OTHERS} else text[:10]


def end_in(text: str) -> str:
    """The words in a cell that say that somebody left, bounced, never confirmed or wants no mail; empty if there are none."""
    words = words_of(ADDRESSES.sub(" ", text))
    if found := END_PHRASE.search(words):
        return found[0]
    return words if words not in NO and word_of(words) not in {None, Meaning.ACTIVE} else ""


def says_no(words: str) -> bool:
    """Whether a cell (as words) begins with a no."""
    return bool(STARTS_WITH_NO.match(words))


def word_of(value: str) -> Meaning | None:
    """What a value means wherever it stands: `rebotado`, `Rebotados`; None if it is not known."""
    return WORDS.get(value) or WORDS.get(_singular(value))


def _singular(words: str) -> str:
    return re.sub(r"s\b", "", words)


def is_block(heading: str) -> bool:
    """Whether a heading (as words) is about people who left, bounced or were blocked: from mail, not from calls."""
    return bool(BLOCK.search(heading)) and not OTHER_CHANNELS.search(heading)


def is_state(heading: str) -> bool:
    """Whether a heading (as words) names a state: of mail, not of calls."""
    return bool(STATE.search(heading)) and not OTHER_CHANNELS.search(heading)


def is_of_states(heading: str) -> bool:
    """Whether a heading (as words) is one or the other."""
    return is_block(heading) or is_state(heading)


def meaning_of(heading: str, value: str) -> Meaning | None:
    """The Meaning of a value in a column with this heading (as words); None if nobody but the editor can know."""
    is_denied = NEGATIONS & set(heading.replace("do not", "").split())  # `Active (not bounced)`: no
    if is_block(heading) and not is_denied:
        if value in NO or value == EMPTY:
            return Meaning.ACTIVE
        if value in YES or value == DATE or REASON.search(heading):
            return Meaning.BOUNCED if BOUNCE.search(heading) else Meaning.LEFT
        found = word_of(value)
        return found if found != Meaning.ACTIVE else None
    if value in YES | NO and not YES_OR_NO.fullmatch(heading):
        return None
    return word_of(value)


def tells_all(headings: list[str]) -> bool:
    """Whether columns with these headings (as words) say of everybody in a list whether they get the newsletter."""
    return any(TELLS_ALL.search(heading) and not OTHER_CHANNELS.search(heading) for heading in headings)


def meaning_of_file(names: Iterable[str], program: str, has_states: bool) -> Meaning | None:
    """What a whole list is, as far as its names say it: those of its file (`unsubscribed_…`), its sheet, its column of addresses.

    A list without states that does not say that its people are subscribed has to be explained: None.
    """
    said = set().union(*map(_meanings_of_name, names))
    if None in said:
        return None
    for meaning in (Meaning.LEFT, Meaning.BOUNCED, Meaning.UNCONFIRMED):
        if meaning in said:
            return meaning
    if has_states or (program and EXPORTERS[program].says_it_in_the_file_name and Meaning.ACTIVE in said):
        return Meaning.ACTIVE
    return None


def _meanings_of_name(name: str) -> set[Meaning | None]:
    """The Meanings of the words in a name, one to four together: `BajasDeMayo2023.csv`, `no confirmados`; None among them if
    they may say that its people left (`No enviar`)."""
    all_words = words_of(name)
    words = re.findall(
        r"[a-z]+", re.sub(r"\b(?:sin|sem|without) (?!confirm)\w+", "", all_words)
    )  # `sin rebotes` says nothing
    groups = (" ".join(words[start : start + size]) for size in range(1, 5) for start in range(len(words)))
    said = {word_of(group) for group in groups if len(group) > 3} - {None}
    if said - {Meaning.ACTIVE}:
        return said
    joined = " ".join(words)
    if BLOCK.search(joined):
        return {Meaning.BOUNCED if BOUNCE.search(joined) else Meaning.LEFT}
    if END_PHRASE.search(joined):
        return {None}
    return set() if NEGATIONS & set(all_words.split()) else said
