"""Detects alternative texts that are file names instead of descriptions (WCAG 1.1.1)."""

import re
from pathlib import PurePath

from search.text import fold

EXTENSION = re.compile(r"\.(avif|bmp|gif|hei[cf]|jpe?g|png|svg|tiff?|webp)$")
COPY_SUFFIX = re.compile(r"^(copia|copy) (de|of) |[ -]+(copia|copy)( ?\(\d+\))?$")
UUID = re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
# Names that cameras, phones and programs generate, followed by numbers, dates or times.
GENERATED_NAME = re.compile(
    r"((fb )?img|dsc[nf]?|pxl|mvi|mvimg|gopr|p|whatsapp image|(foto|image[mn]) d[eo] whatsapp|screen ?shot"
    r"|captura( de (pantalla|tela))?|scan|image[mn]?|foto|photo|picture|fullsizerender|unnamed|descarga|download|pexels[ -]photo|untitled( design)?"
    r"|(diseno )?sin titulo|sem titulo|design sem nome"
    r"|(received|dji|signal|telegram|adobe ?stock|shutterstock|istock(photo)?|pexels|unsplash)(?=.*\d))?"
    r"([\W_\d]|wa(?=\d)|a\(s\)|\b(at|as|a las|de(?= \d)|[ap]\.? ?m)\b)*"
)
# Technical terms in file names: versions (but V6 is an engine), megapixels and so on. Function words indicate a sentence.
TECHNICAL_TERM = re.compile(r"\bv[1-5]$|\b\d+(mp|px|dpi|[km]b)\b")
FUNCTION_WORD = re.compile(r"\b(an?|com|con|da|del?|do|el?|em|en|la|of|on|the|una?|with|y)\b")
PIXELS = re.compile(r"\b\d{3,5} ?x ?\d{3,5}\b(?! ?([cm]?m|metros?)\b)")
MAX_NAME_WORDS = 2


def looks_like_file_name(text: str, file_name: str) -> bool:
    """Return whether an alternative text looks like a file name. `file_name` is the name of the image's file."""
    text = fold(text.strip())
    if not text:
        return False
    if "_" in text or EXTENSION.search(text) or GENERATED_NAME.fullmatch(COPY_SUFFIX.sub("", text)):
        return True
    if UUID.search(text) or PIXELS.search(text) or (TECHNICAL_TERM.search(text) and not FUNCTION_WORD.search(text)):
        return True
    words = _words(text)
    is_joined = "-" in text and " " not in text
    is_own_name = words == _words(fold(PurePath(file_name).stem))[: len(words)]
    if len(words) > MAX_NAME_WORDS:
        return is_joined and is_own_name
    has_number = any(re.search(r"[a-z]", word) and re.search(r"\d", word) for word in words)
    return is_joined or has_number or is_own_name


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text)
