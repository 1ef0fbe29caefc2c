"""Parses mailboxes and host names in settings: `Boletín CLAC <boletin@ñandú.example>`."""

import re
import unicodedata
from email.headerregistry import Address

import idna

WITH_NAME = re.compile(r"([^<>]*)<([^<>]+)>")
LOCAL = re.compile(
    r"(?=.{1,64}@)[\w!#$%&'*+/=?^`{|}~-]+(?:\.[\w!#$%&'*+/=?^`{|}~-]+)*@", re.ASCII
)  # RFC 5322's dot-atom
MAX_NAME_LENGTH = 100
FORBIDDEN_CATEGORIES = {"Cc", "Cs", "Zl", "Zp"}  # control characters, line breaks, surrogates


def host(name: str) -> str:
    """Return a host name in ASCII (IDNA 2008) and lower case. Raises ValueError with the reason."""
    try:
        return idna.encode(name.rstrip("."), uts46=True).decode()
    except idna.IDNAError as error:
        raise ValueError(f"“{name}” is no host name: {error}") from None


def parse(text: str) -> Address:
    """Return the Address of a mailbox, its domain in ASCII (IDNA). Raises ValueError with the reason."""
    text = text.strip()
    if any(unicodedata.category(letter) in FORBIDDEN_CATEGORIES for letter in text):
        raise ValueError("it holds a line break or a control letter")
    if "=?" in text:
        raise ValueError("write the name as it is read, not encoded")
    found = WITH_NAME.fullmatch(text)
    name, address = (found[1].strip(), found[2].strip()) if found else ("", text)
    name = " ".join(_unquote(name).split())
    if len(name) > MAX_NAME_LENGTH:
        raise ValueError(f"the name has more than {MAX_NAME_LENGTH} letters")
    local = LOCAL.match(address)
    if not local:
        raise ValueError(f"“{address}” is no e-mail address in plain letters")
    return Address(name, local[0][:-1], host(address[local.end() :]))


def _unquote(name: str) -> str:
    """Return a display name without the quotes of RFC 5322."""
    if len(name) > 1 and name[0] == name[-1] == '"':
        return re.sub(r"\\(.)", r"\1", name[1:-1])
    return name
