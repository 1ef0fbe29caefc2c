"""Dates in English, in the order that goes with the site's British spelling. Django's own are American."""

DATE_FORMAT = "j F Y"
DATETIME_FORMAT = "j F Y, P"
MONTH_DAY_FORMAT = "j F"
SHORT_DATE_FORMAT = "j M Y"  # no number is taken for the month
SHORT_DATETIME_FORMAT = "j M Y, P"
