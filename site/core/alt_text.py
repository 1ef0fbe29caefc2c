"""Alternative texts: whether one says what a picture shows (WCAG 1.1.1), or is only the name of its file."""

import re
from pathlib import PurePath

from .search import fold

EXTENSION = re.compile(r"\.(avif|bmp|gif|hei[cf]|jpe?g|png|svg|tiff?|webp)$")
# What cameras, phones and programs call pictures, with numbers, dates and times behind it.
MADE_BY_A_PROGRAM = re.compile(
    r"(img|dsc[nf]?|pxl|mvi|gopr|p|whatsapp image|screen ?shot|captura( de (pantalla|tela))?|scan|image[mn]?|foto|photo"
    r"|picture|unnamed|untitled|sin titulo|sem titulo)?([\W_\d]|wa(?=\d)|\b(at|as|a las|am|pm)\b)*"
)
FEW_WORDS = 2


def looks_like_file_name(text: str, file_name: str) -> bool:
    """Whether an alternative text is rather the name of a file than words for readers. `file_name` is its picture's own."""
    text = fold(text.strip())
    if not text:
        return False
    if "_" in text or EXTENSION.search(text) or MADE_BY_A_PROGRAM.fullmatch(text):
        return True
    words = _words(text)
    if len(words) > FEW_WORDS:
        return False
    is_joined = "-" in text and " " not in text
    has_number = any(re.search(r"[a-z]", word) and re.search(r"\d", word) for word in words)
    return is_joined or has_number or words == _words(fold(PurePath(file_name).stem))[: len(words)]


def _words(text):
    return re.findall(r"[^\W_]+", text)
