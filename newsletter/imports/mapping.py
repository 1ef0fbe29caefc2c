"""What the columns of a list are: by their headings, and by what they hold where these say nothing."""

import re
from collections import Counter
from dataclasses import dataclass, field

from search.text import fold

from newsletter.imports.exporters import (
    BLOCK,
    DATE,
    EMPTY,
    EXPORTERS,
    NO,
    OTHERS,
    STATE,
    Meaning,
    count,
    value_of,
    word_of,
)
from newsletter.subscribers import email_addresses

# What a column may be, and how the programs that people come from call it (folded, letters and digits only).
HEADINGS = {
    "email": ["email", "emailaddress", "correo", "correoelectronico", "direcciondecorreo", "direcciondecorreoelectronico", "enderecodeemail", "subscriber", "mail"],
    "name": ["name", "fullname", "nombre", "nombrecompleto", "nome", "nomecompleto"],
    "first_name": ["firstname", "fname", "nombres", "primernombre", "primeironome"],
    "last_name": ["lastname", "lname", "surname", "apellido", "apellidos", "sobrenome"],
    "language": ["language", "lang", "locale", "idioma", "lengua"],
    "country": ["country", "countrycode", "cc", "pais"],
    "topics": ["topics", "tags", "labels", "lists", "interests", "temas", "etiquetas"],
    "asked_at": ["optintime", "createdat", "addedtime", "subscribed", "dateadded", "signuptime", "fechadealta"],
    "confirmed_at": ["confirmtime", "confirmedat", "doubleoptin", "optinconfirmed"],
    "ip": ["confirmip", "optinip", "ip", "ipaddress"],
}  # fmt: skip
# Perhaps a state, but nobody knows of whom or what: its “yes” means nothing until the editor says what.
HINT = re.compile(r"situacion|suscri|inscri|subscri|consent|acept|aceit|accept|verif|confirm|newsletter|boletin|boletim|informativo|(^|is|esta)(activ[oae]|ativ[oa])$|enabled|habilitad|left|salida|saida|exclu|nomail|noemail|quarantin|cuarenten|quarenten|invalid|optin|gdpr|rgpd|lgpd|permi(so|ssion|ssao)|autoriz|mailing|deliver|stat$|^ok$")  # fmt: skip
NEVER = re.compile(r"(url|link|token|hash)$|^(uu|eu|le|contact|record|member|user|subscriber|customer|ext|external)?id$|^(optin|confirm|signup|unsub|last)?ip(address)?$")  # fmt: skip
HARMLESS = re.compile(r"phone|telefon|celular|movil|whatsapp|fax|^sms$|city|ciudad|cidade|municip|provinc|region|regiao|departa|distrit|postal|zip|^cep$|address|direccion|endereco|street|calle|location|company|empresa|compania|compan|organi[sz]|cooperativ|asociacion|associa|instituc|institu|entidad|cargo|job|puesto|position|funcion|profes|ocupa|rating|score|latitud|longitud|gmtoff|dstoff|timezone|zonahoraria|birth|nacim|nascim|gender|genero|^sex|website|^web$|updated|changed|lastactivity|actualiz|atualiz|modifi|lastopen|lastclick|opens|clicks|opened|clicked|^sent|^age$|^edad$|idade|product|produto|rubro|sector|setor|color|source|origen|origem|fuente|utm|referr|^plan$|^tiers?$|price|amount|revenue|expiry|stripe|currency|note|nota|coment|observ|owner|lifecycle|prefix|title|titulo|campaign")  # fmt: skip


def key_of(heading):
    """A heading reduced to what programs agree on: folded, letters and digits only."""
    return re.sub(r"[^a-z0-9]", "", fold(heading))


@dataclass
class Column:
    """What a column of a list holds, as far as it was read."""

    counts: Counter = field(default_factory=Counter)  # {value: number of lines}
    addresses: int = 0
    names_an_end: bool = False  # a word of people who left, bounced or never confirmed

    def add(self, text):
        """Count a cell."""
        value = value_of(text)
        count(self.counts, value)
        self.addresses += "@" in text and email_addresses.is_address(text)
        self.names_an_end |= value not in NO and word_of(value) not in {None, Meaning.ACTIVE}

    @property
    def is_of_words(self):
        """Whether every cell is empty, a date, or a word of state, and there is such a word."""
        words = set(self.counts) - {EMPTY, DATE}
        return bool(words) and all(map(word_of, words))

    @property
    def is_of_few(self):
        """Whether its lines fall into few groups, as by a state; or have a date or none, as by a date of leaving."""
        if set(self.counts) == {EMPTY, DATE}:
            return True
        few = 2 <= len(self.counts) <= 6 and OTHERS not in self.counts and DATE not in self.counts
        return few and self.counts.total() >= 4 * len(self.counts)


def may_be_status(key, column, program=""):
    """Whether a Column looks like a state, a date of leaving or a block, by the key of its heading or by what it holds."""
    if program and key in EXPORTERS[program].no_states:
        return False
    if column.names_an_end:
        return True
    if NEVER.search(key):
        return False
    if BLOCK.search(key) or STATE.search(key) or HINT.search(key):
        return True
    return not HARMLESS.search(key) and (column.is_of_words or column.is_of_few)


def mapping_of(headings, columns, program):
    """What each column most likely is: {what: number of the column}, and {"status": [numbers of columns]}.

    `columns` are what the columns hold (Column), `program` the one that wrote the list, if it is known.
    """
    keys = [key_of(heading) for heading in headings]
    found = {}
    for what, names in HEADINGS.items():
        match = next((keys.index(name) for name in names if name in keys), None)
        if match is not None and match not in found.values():
            found[what] = match
    for what in ("asked_at", "confirmed_at"):  # `Subscribed: yes` is no date
        if what in found and columns[found[what]].is_of_words:
            del found[what]
    if "email" not in found and (most := max(column.addresses for column in columns)):
        found["email"] = next(number for number, column in enumerate(columns) if column.addresses == most)
    taken = set(found.values())
    states = [
        number
        for number, (key, column) in enumerate(zip(keys, columns, strict=True))
        if number not in taken and may_be_status(key, column, program)
    ]
    return found | {"status": states} if states else found
