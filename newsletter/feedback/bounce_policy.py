"""Classifies bounces, the same way for returned mail, provider reports and refusals during sending.

An enhanced status code (RFC 3463 and IANA's registry) names the subject: the address, the mailbox, a system on the
way, or a policy. Only a permanent error of a nonexistent address ends a subscription. Text decides where the code is
unspecific, and overrides it only in the subscriber's favour. What neither code nor text explains is UNKNOWN and ends
nothing.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

MAX_CHARACTERS = 8000  # maximum length of the text: replies are short, and the patterns are slow on long text


class Subject(Enum):
    """What a bounce is about."""

    ADDRESS = "address"  # the user or the domain does not exist
    MAILBOX = "mailbox"  # the mailbox exists but is full, disabled or locked
    SYSTEM = "system"  # a server, the network, or the mail's size or format
    POLICY = "policy"  # blocked, reputation, authentication: about the sender
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Cause:
    """The classified reason of a bounce."""

    subject: Subject
    is_permanent: bool | None  # None: unknown

    @property
    def ends_subscription(self) -> bool:
        """Whether this is a hard bounce: the address will never accept mail."""
        return bool(self.is_permanent) and self.subject == Subject.ADDRESS


A, M, S, P, U = Subject
# By subject and detail. Codes not listed here (X.0.0, X.1.0, X.3.0, X.4.x, X.5.x) are used for anything: the text
# decides.
SUBJECTS = {
    "1.1": A, "1.2": A, "1.3": A, "1.6": A, "1.10": A,
    "1.4": S, "1.5": S, "1.7": P, "1.8": P, "1.9": S,
    "2": M, "2.3": S, "2.4": S,
    "3.1": S, "3.3": S, "3.4": S, "3.5": S, "3.6": S,
    "4.2": S, "4.3": S, "4.5": S, "4.6": S, "4.7": S, "4.8": S,
    "5.2": S, "5.3": S, "5.4": S, "5.5": S, "5.6": S,
    "6": S, "7": P,
}  # fmt: skip
ENHANCED = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.]*\d)")
# A reply code at the start of a reply, not just any number: “smtp; 550 5.1.1 …”, “said: 550-…”, “RCPT TO:<…>: 550
# …”.
REPLY = re.compile(r"(?:^|[:;>)\]]\s*|\b(?:said|error|code|reply)\W+|\n\s*)([245][0-5]\d)(?=[\s-]|$)", re.IGNORECASE)
# Text that would mislead the patterns: Exim's introduction of a server's reply, links, IP addresses, and mail addresses,
# which are replaced by “someone”.
NOISE = re.compile(
    r"SMTP error from remote (?:mail server|mailer)|https?://\S+|<?[\w.+=/'-]+@[\w.-]+>?|\[[\d.:a-f]+\]", re.IGNORECASE
)


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)


# The patterns have no accents, as they are applied to text without accents. `buz.{1,3}n` also matches a garbled ó.
TEMPORARY = _any(
    r"\blater\b",
    r"temporal|provi[sz]or|momentan|por (el|o) momento|(en|no|neste) (este )?momento|m[ai]s tarde|(tente|intent\w+) (de nuevo|novamente|otra vez)",
    r"try again|(please|will|after|and) retry|too many|\blimits?\b|\blimite|exce[ed]|(de )?manten(imiento|cao)\b|maintenance|on hold",
    r"\btemporar|gr[ea]y ?list|retry time|timed? ?out|too (fast|quickly)|rate limit|\bdeferred\b|\bdelayed\b",
    r"\b(re|a)trasad|\bdemorad|\b(aun|todavia) no\b|\bainda nao\b|\breintent|\b(seguira|continuar)\w* .{0,12}(intent|tent)",
    r"(keep|continue|be) (trying|retried)|queue too long|in the queue|(message|delivery time) expired",
    r"(could ?n.t|could not|cannot|can.t|able to) (establish|connect)|connection (refused|reset|lost|dropped|failed)",
    r"(network|host) (is )?(unreachable|down)|no route to host|server (error|busy|failure)|insufficient (system|disk)",
)
# Phrases for a missing user that also match the more general patterns of POLICY.
REFUSED_RECIPIENT = _any(
    r"recipient address(es)? rejected ?: ?(access denied|(unknown|invalid|no such).(user|recipient))",
    r"mailbox unavailable or access denied",
)
POLICY = _any(
    r"remitente|remetente|\bemisor|\borigen\b|\borigem\b|\borigin\b|originat|lista (negra|gris|cinza|de bloque)|basura|desead[oa]|desejad|(no|nao) solicitad|politica",
    r"(no|nao|sin|sem|des) ?(esta )?(autoriza|permi[ts])|prohibid|proibid|\b(de)?negad[oa]|reputac|aut(h?ent|entif)ica[cd]|fraud|filtro|confianza|confiavel",
    r"(registro|dns|resolucion|resolucao|zona) \w{0,8} ?(inver[st]|revers|ptr)|(direccion|endereco) ip|\b(su|sus|seu|sua|tu) (e-?mail|correo|ip|servidor|dominio|host|mensa\w+)\b",
    r"(mensa\w+|\bcorreo|\be-?mail|\bip|\bconexi?[oa]o?n?)\b.{0,20}\bbloquead|(rechazad|rejeitad|recusad)[oa]s? (por|pel)|(no|nao) (acepta|aceita).{0,20}(correo|mensa|mail)|desconocidos|desconhecidos",
    r"\bclients?\b|smtp user|credential|passw|\blog(ged)?[ -]?in\b.{0,15}(fail|requir|incorrect)|hostname|revers|return.?path|(?<!in )reply.?to|sending (domain|host|ip|server|mta|address|from)",
    r"your (e-?mail )?(address|account)\b|\b(su|seu|tu) (direccion|endereco)|desde (el|la) (cual|que)|\benvia\b|unknown contact|contact list|your contacts|conta[ck]?tos conoc|contatos conhec|access list|\bin from\b",
    r"from which|you (write|send|sent) from|you are not|know you|(can ?not|not verified.{0,20}|may not|not allowed to) send|(acepta|aceita|recibir|receber).{0,25}(correo|mensa|mail|direccion|enderec)",
    r"\bspam|spam(haus|cop|assassin)|junk|(black|block|deny|white).?list|\bblock(ed|ing|s)?\b|\bdns?[bw]l|\brbl\b|reputation|trust",
    r"\bdmarc|\bspf\b|\bdkim|authenticat|reverse dns|\brdns|\bptr\b|\be?helo\b|batv|unsolicited|\bbulk\b|mass mail|\babus",
    r"polic(y|ies)|denied|forbidden|banned|prohibit|not permitted|not allowed|(not (been )?|un)authori[sz]ed|administrative",
    r"virus|malware|malicious|infected|phish|suspicious|content.{0,20}(reject|filter|block|not|present)|(illegal|blocked) attachment|filter|refus(ed|es)\b.{0,30}(preference|mail)",
    r"sender|\bmail from\b|envelope.?from|from address|your (ip|server|host|network|domain|mta)\b|client host|(?<!not )\blisted (in|at|by|on)\b",
    r"reject(ed)? (by|due|for|as|after)|message (was |has been )?(rejected|refused)|members?.only|only accept|accepting mail (from|with)",
    r"not subscribed|unsubscribed|opted out|(too many|number of) (messages|recipients|e?mails|invalid)(?! on)|user reject",
)
MAILBOX = _any(
    r"\bcuota|\bcota\b|(usuari\w+|buz.{1,3}n|cuenta|conta|caixa|casilla|destinatari\w+).{0,30}(exced|superad|rebasad|sobrepas|ultrapass)|allocat|\bespaci?o\b",
    r"almacena|armazena|capacidad|lotad[oa]|saturad|cheio|space left|bloquead|suspendid|suspens|(des|in|desh?|inh)(activ|ativ|abilitad|habilitad)|congelad",
    r"falta de pag|impag|payment|cancel+(ad|ed)|\bcerrad|encerrad|de baja\b|caducad|expirad|vencid|(account|user|mail ?box|domain) (has )?expired|(no|nao) (esta |se encuentra )?disponi|indisponi",
    r"quota|mail ?(box|folder|dir|file)\b.{0,40}\b(full|exceed)|full mail ?box|inbox is full|over.{0,12}(limit|allowed)|receiving limit",
    r"storage|dis[ck] space|space has been used|enough space|too much mail|too many messages on",
    r"inactiv|not active|disabled|suspend|deactivat|discontinued|frozen|locked|archive|dormant",
    r"pleine|llen[oa]\b|\bcheia|\bvoll\b|\bpiena|not (currently )?(being )?accept(ing|ed)\b.{0,12}(mail|messages)",
)
# A receiver whose lookup failed says nothing about the address.
FAILURE = r"\b(fail|error|problem|falha|fallo|down|unavail|not avail|not respon|time|unreach|refused|(no|nao) dispon|indispon)"
LOOKUP = r"\b(ldap|look.?ups?|databases?|sql|back ?end|dns|servers?|(?<!name )services?|servidor|servicio|servico|base de datos|banco de dados|connecti\w+|conexi?[oa]o?n?)\b"
SYSTEM = _any(
    rf"{LOOKUP}.{{0,25}}{FAILURE}|{FAILURE}.{{0,35}}{LOOKUP}|(internal|local|protocol|system|unexpected|config\w+|interno|sistema) (error|problem|failure)",
    r"(error|erro|falha) (interno|do sistema|del sistema|ao consultar|de consulta)|(unable|failed|cannot|can.t|could ?n.t|could not) (to )?(look|verify|validate|check|resolve)",
    r"(no|nao) (se )?(pud|foi possivel|fue posible|puede|consegui).{0,12}(verific|valid|consult|comprob)|\bservidor \w{0,8} ?(no|nao) existe|(no|nao) existe (la |a )?conex",
    r"unknown (error|fail|reason)|(error|erro|fallo|falha|motivo) (desconoc|desconhec)|\b(users?|mail ?box|recipients?) (data ?base|map|store|host|server|file)\b",
    r"(tabla|tabela|base) de usuari|archivo|arquivo|fichero|(user|mail) agent|literal|\burl\b|cabecera|encabezado|cabecalho|(address|from|to:?|invalid|bad).{0,15}\bheader|header.{0,15}(address|invalid|not found)",
    r"certificat?e?|\b(tls|ssl)\b|handshake|bad sequence|syntax|(unknown|unrecogni\w+|invalid|bad|illegal|not a valid) command|command (not|un)|connection closed|\badjunto|\banexo|\basunto|attachment",
    r"too (large|big)|(message|maximum|size).{0,20}(size|exceed)|\bloop|too many hops|hop count|\brelay(?!=| recipient)|allowed rcpthost",
)
SOMEBODY = r"\b(user|recipient|destinataire|usuari[oa]|destinatari[oa]|buz.{1,3}n|cuenta|conta|casilla|caixa|direccion(?! ip)|endereco(?! ip)|utilisateur|utente|benutzer|empfanger|mail ?(box|address)|(?<!ip )address|account|person|log[io]n|alias|rcpt|local.?part|someone)"
MISSING = (
    r"no existe|nao existe|n.existe pas|inexist|existiert nicht|non esiste|des?conocid[oa]\b|desconhecid[oa]\b|inconnu|unbekannt|sconosciut"
    r"|(no|nao) (fue |foi )?encontrad|(no|nao) (es )?valid|invalid[oa]"
)
# Words allowed between the subject and its predicate; none that changes the subject.
GAP = r"((?!\b(server|service|system|host|gateway|message|(?<!e-)mail|command|relay|connection|certificate|file|directory)\b).){0,60}?"
ADDRESS = _any(
    SOMEBODY
    + rf"(s|es|id)?\b{GAP}\b(unknown|was.?n.t found|not?.?(be )?(found|known|exist|recogni[sz]ed|listed|valid|present|local|ok)|invalid|in ?existent"
    r"|((does|do|did)( not|n.t)|doesn.t) (exist|have)|no longer|(is )?(not|n.t) accepted)\b",
    r"\b(unknown|invalid|no such|no valid|bad|non.?existent|illegal|wrong|unrout\w+)\b.{0,20}" + SOMEBODY,
    r"mail ?box (is )?unavail?able|account unavailable|(recipient|address) (address )?rejected",
    r"\bno (mail ?box|account|one|user|person)\b|not a (known|local) |not an? (known|valid|local|active|existing) .{0,15}(user|recipient|mailbox|address|account)|not email addresses",
    r"does ?n.t have an? .*account|not (listed )?in .{0,20}directory|in name directory|(bad|valid)(rcpt|recipient) ?to|recip\w* ?not ?found",
    r"(user|recipient|account|address|someone).{0,20}has (been replaced|moved|left)|not our customer",
    rf"{SOMEBODY}s?\b{GAP}\b({MISSING})|\b({MISSING}) .{{0,12}}{SOMEBODY}|nessun utente",
    rf"\b(dominio|domaine)\b.{{0,30}}\b({MISSING})",
    r"(host|domain)( or domain)?( name)?\b.{0,40}(not found|unknown|not exist|n.t exist|must exist|not accept (e?mail|any))",
    r"(unknown|no such) (host|domain)|domain is not reachable|host named|unrout\w+|nxdomain|name or service not known|null mx|no mx record",
)


def classify(enhanced_code: str = "", smtp_code: str | int = "", text: str = "") -> Cause:
    """Return the Cause of a status code (`5.1.1`), an SMTP reply code (`550`) and the server's text; each may be
    missing. Codes within the text are read, too."""
    text = text[:MAX_CHARACTERS]
    codes = [match.groups() for match in ENHANCED.finditer(f"{text} ; {enhanced_code}")]
    classes = {code[0] for code in codes} | {reply[0] for reply in (*REPLY.findall(text), str(smtp_code)) if reply}
    words = _plain(" ".join(NOISE.sub(" someone ", text).split()))
    is_temporary = "4" in classes or bool(TEMPORARY.search(words))
    return Cause(_subject(codes, words), False if is_temporary else True if "5" in classes else None)


def _plain(text: str) -> str:
    """Return a text without accents and with underscores as spaces (`err_user_unknown`)."""
    text = text.replace("_", " ")
    return "".join(letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))


def _subject(codes: Iterable[Sequence[str]], words: str) -> Subject:
    """Return the Subject that the codes name, unless the text names one that concerns the reader less."""
    named = {subject for code in codes if (subject := _by_code(code))}
    if elsewhere := sorted(named - {Subject.ADDRESS}, key=list(Subject).index):
        return elsewhere[0]
    is_refused = bool(REFUSED_RECIPIENT.search(words))
    for pattern, subject in ((POLICY, P), (MAILBOX, M), (SYSTEM, S)):
        if pattern.search(words) and not (is_refused and subject == P):
            return subject
    return Subject.ADDRESS if named or is_refused or ADDRESS.search(words) else Subject.UNKNOWN


def _by_code(code: Sequence[str]) -> Subject | None:
    """Return the Subject of an enhanced code (class, subject, detail), or None."""
    _class, subject, detail = code
    return SUBJECTS.get(f"{subject}.{detail}") or SUBJECTS.get(subject)
