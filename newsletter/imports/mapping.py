"""What the columns of a list are: by their headings, and by what they hold where these say nothing."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from search.text import fold

from newsletter.imports.exporters import (
    DATE,
    EMPTY,
    EXPORTERS,
    GLUED,
    NO,
    OTHER_CHANNELS,
    OTHERS,
    YES,
    count,
    end_in,
    is_of_states,
    says_no,
    value_of,
    word_of,
    words_of,
)
from newsletter.subscribers import email_addresses

# What a column may be, and how the programs that people come from call it (folded, letters and digits only).
HEADINGS = {
    "email": ["email", "emailaddress", "correo", "correoelectronico", "direcciondecorreo", "direcciondecorreoelectronico", "enderecodeemail", "subscriber", "mail"],
    "name": ["name", "fullname", "nombre", "nombrecompleto", "nome", "nomecompleto", "nombreyapellidos", "nombresyapellidos", "nombreyapellido", "apellidosynombres"],
    "first_name": ["firstname", "fname", "nombres", "primernombre", "primeironome"],
    "last_name": ["lastname", "lname", "surname", "apellido", "apellidos", "sobrenome", "primerapellido", "apellidopaterno"],
    "language": ["language", "lang", "locale", "idioma", "lengua", "lingua", "idiomapreferido", "preferredlanguage", "preferredlocale"],
    "country": ["country", "countrycode", "cc", "pais", "paisdeorigen", "countryregion"],
    "topics": ["topics", "tags", "labels", "lists", "interests", "temas", "etiquetas"],
    "asked_at": ["optintime", "createdat", "createdon", "created", "datecreated", "createdate", "creationdate", "creadoel", "fechadecreacion", "addedtime", "subscribed", "datesubscribed", "subscribedon", "subscribedat", "subscriptiondate", "dateadded", "datejoined", "joined", "entered", "signuptime", "fechadealta", "fechadesuscripcion", "fechadeinscripcion", "fechaderegistro", "datadeinscricao", "datadecadastro", "marcatemporal", "timestamp"],
    "confirmed_at": ["confirmtime", "confirmedat", "doubleoptin", "optinconfirmed"],
    "ip": ["confirmip", "optinip", "ip", "ipaddress"],
}  # fmt: skip
KNOWN = set().union(*HEADINGS.values())
# Perhaps a state, but nobody knows of whom or what: its “yes” means nothing until the editor says what.
HINT = re.compile(rf"\b(?:{GLUED})?(?:su[bs]*cri|inscri|consent|acept|aceit|accept|(?:un)?verif|confirm|news ?letter|boletin|boletim|informativo|enabled|habilitad|left\b|salida|saida|exclu|no ?e? ?mail|quarantin|cuarenten|quarenten|invalid|opt ?in|double ?opt|gdpr|rgpd|lgpd|permis|autori[sz]|mailing|deliver|stat\b|ok\b|recib|receb|dese[aj]|quier|quer(?:o|e|em|emos)?\b|envi(?!r)|e ?mail you|on hold|no bulk|bulk|do not|privac|retir|ended|stop|renunci)|^(?:is |esta )?(?:activ[oae]|ativ[oa])$")  # fmt: skip
NEVER = re.compile(r"(url|link|token|hash)$|^subscribepage$|^(uu|eu|le|contact|record|member|user|subscriber|customer|ext|external)?id$|^(optin|confirm|confirmed|signup|subscribed|unsub|last)?ip(address)?$")  # fmt: skip
HARMLESS = re.compile(r"\b(?:(?:tele)?phone|telefon|celular|movil|whats ?app|fax|sms$|city|ciudad|cidade|municip|provinc|region|regiao|departa|distrit|postal|zip|cep$|address|direccion|endereco|street|calle|location|company|empresa|compania|compan|organi[sz]|cooperativ|asociacion|associa|instituc|institu|entidad|cargo|job|puesto|position|funcion|profes|ocupa|rating|score|latitud|longitud|gmtoff|dstoff|time ?zone|zona|birth|nacim|nascim|gender|genero|sex|web ?site|web$|updated|last changed|changed|last activity|actualiz|atualiz|modifi|last ?open|last ?click|opens|clicks|opened|clicked|sent|age$|edad$|idade|product|produto|rubro|sector|setor|color|source|origen|origem|fuente|utm|refer|plan$|tiers?$|price|amount|revenue|expiry|stripe|currency|note|nota|coment|observ|owner|lifecycle|prefix|title|titulo|campaign|attributes$|tamano|sello|rol$|ano$|html email|htmlemail|digest|ack$|plain|orders?\b|points|tax|woocommerce|hide$|not metoo$)")  # fmt: skip


def key_of(heading: str) -> str:
    """A heading reduced to what programs agree on: folded, letters and digits only."""
    return re.sub(r"[^a-z0-9]", "", fold(heading))


@dataclass
class Column:
    """What a column of a list holds, as far as it was read."""

    counts: Counter[str] = field(default_factory=Counter)  # {value: number of lines}
    addresses: int = 0
    names_an_end: bool = False  # words of people who left, bounced or never confirmed
    says_no: bool = False  # at the beginning of a cell

    def add(self, text: str) -> None:
        """Count a cell."""
        value = value_of(text)
        count(self.counts, value)
        self.addresses += email_addresses.holds_address(text)
        self.names_an_end = self.names_an_end or bool(end_in(text))
        self.says_no = self.says_no or says_no(value)

    @property
    def is_of_words(self) -> bool:
        """Whether every cell is empty, a date, a word of state or what may be short for one (a letter, a sign), and there is such."""
        words = set(self.counts) - {EMPTY, DATE}
        return bool(words) and OTHERS not in words and all(word_of(word) or _is_short(word) for word in words)

    @property
    def names_a_state(self) -> bool:
        """Whether there is a word of state that is more than a yes or no."""
        return any(word_of(value) for value in set(self.counts) - YES - NO)

    @property
    def is_of_few(self) -> bool:
        """Whether its lines fall into few groups, as by a state; or have dates and nothing else, as by a date of leaving."""
        if DATE in self.counts:
            return set(self.counts) <= {EMPTY, DATE}
        few = 2 <= len(self.counts) <= 6 and OTHERS not in self.counts
        return few and self.counts.total() >= 4 * len(self.counts)


def _is_short(value: str) -> bool:
    return value in {"s", "x"} or not (value.isascii() or any(map(str.isalnum, value)))


def may_be_status(heading: str, column: Column, program: str = "") -> bool:
    """Whether a Column looks like a state, a date of leaving or a block, by its heading or by what it holds."""
    key, words = key_of(heading), words_of(heading)
    if program and key in EXPORTERS[program].no_states:
        return column.names_a_state or column.names_an_end
    if column.names_an_end:
        return True
    if NEVER.search(key) or OTHER_CHANNELS.search(words):
        return False
    if is_of_states(words) or HINT.search(words):
        return True
    if HARMLESS.search(words):
        return False
    return column.says_no or column.is_of_words or (column.is_of_few and key not in KNOWN)


def mapping_of(headings: Sequence[str], columns: Sequence[Column], program: str) -> dict[str, Any]:
    """What each column most likely is: {what: number of the column}, and {"status": [numbers of columns]}.

    `columns` are what the columns hold (Column), `program` the one that wrote the list, if it is known.
    """
    keys = [key_of(heading) for heading in headings]
    found: dict[str, int] = {}
    for what, names in HEADINGS.items():
        match = next((keys.index(name) for name in names if name in keys), None)
        if match is not None and match not in found.values():
            found[what] = match
    for what in ("asked_at", "confirmed_at"):  # `Subscribed: yes` is no date
        if what in found and columns[found[what]].is_of_words:
            del found[what]
    if "confirmed_at" in found and DATE not in columns[found["confirmed_at"]].counts:
        del found["confirmed_at"]
    if "email" not in found and (most := max(column.addresses for column in columns)):
        found["email"] = next(number for number, column in enumerate(columns) if column.addresses == most)
    taken = set(found.values())
    states = [
        number
        for number, (heading, column) in enumerate(zip(headings, columns, strict=True))
        if number not in taken and may_be_status(heading, column, program)
    ]
    return found | {"status": states} if states else found


def telling_dates(mapping: Mapping[str, Any], headings: Sequence[str]) -> list[int]:
    """The columns of dates, among those of a mapping, in which an empty cell may say that somebody never confirmed."""
    found = [mapping[what] for what in ("asked_at", "confirmed_at") if what in mapping]
    return [each for each in found if each == mapping.get("confirmed_at") or key_of(headings[each]) == "subscribed"]
