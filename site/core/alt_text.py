"""Alternative texts: whether one says what a picture shows (WCAG 1.1.1), or is only the name of its file."""

import re
from pathlib import PurePath

from search.text import fold

EXTENSION = re.compile(r"\.(avif|bmp|gif|hei[cf]|jpe?g|png|svg|tiff?|webp)$")
COPY = re.compile(r"^(copia|copy) (de|of) |[ -]+(copia|copy)( ?\(\d+\))?$")
UUID = re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
# What cameras, phones and programs call pictures, with numbers, dates and times behind it.
MADE_BY_A_PROGRAM = re.compile(
    r"((fb )?img|dsc[nf]?|pxl|mvi|mvimg|gopr|p|whatsapp image|(foto|image[mn]) d[eo] whatsapp|screen ?shot"
    r"|captura( de (pantalla|tela))?|scan|image[mn]?|foto|photo|picture|fullsizerender|unnamed|untitled( design)?"
    r"|(diseno )?sin titulo|sem titulo|design sem nome"
    r"|(received|dji|signal|telegram|adobe ?stock|shutterstock|istock(photo)?|pexels|unsplash)(?=.*\d))?"
    r"([\W_\d]|wa(?=\d)|a\(s\)|\b(at|as|a las|de(?= \d)|[ap]\.? ?m)\b)*"
)
# What only files are called by: a version (a V6 is an engine), megapixels, and so on; words between them make it a sentence.
MEASURE = re.compile(r"\bv[1-5]$|\b\d+(mp|px|dpi|[km]b)\b")
BETWEEN_WORDS = re.compile(r"\b(an?|com|con|da|del?|do|el?|em|en|la|of|on|the|una?|with|y)\b")
PIXELS = re.compile(r"\b\d{3,5} ?x ?\d{3,5}\b(?! ?([cm]?m|metros?)\b)")
FEW_WORDS = 2


def looks_like_file_name(text: str, file_name: str) -> bool:
    """Whether an alternative text is rather the name of a file than words for readers. `file_name` is its picture's own."""
    text = fold(text.strip())
    if not text:
        return False
    if "_" in text or EXTENSION.search(text) or MADE_BY_A_PROGRAM.fullmatch(COPY.sub("", text)):
        return True
    if UUID.search(text) or PIXELS.search(text) or (MEASURE.search(text) and not BETWEEN_WORDS.search(text)):
        return True
    words = _words(text)
    is_joined = "-" in text and " " not in text
    is_own_name = words == _words(fold(PurePath(file_name).stem))[: len(words)]
    if len(words) > FEW_WORDS:
        return is_joined and is_own_name
    has_number = any(re.search(r"[a-z]", word) and re.search(r"\d", word) for word in words)
    return is_joined or has_number or is_own_name


def _words(text):
    return re.findall(r"[^\W_]+", text)
