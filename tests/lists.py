"""What an editor says of a list that does not say what its people are: that they get the newsletter."""

from newsletter.forms import field_of_meaning
from newsletter.imports.exporters import EMPTY, Meaning
from newsletter.imports.runner import FILE

WHOLE_FILE = field_of_meaning(FILE, EMPTY)
ALL_ACTIVE = {FILE: {EMPTY: Meaning.ACTIVE}}
