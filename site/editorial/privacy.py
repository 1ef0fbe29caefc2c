"""Declares that the tables of this app hold no personal data."""

from privacy.places import PUBLISHED
from privacy.registry import declare

declare(PUBLISHED, {"editorial.PageProblem": ["values"]})
declare("addresses of public pages, without queries", {"editorial.PageViewCount": ["path"]})
