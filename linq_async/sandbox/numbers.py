"""Phone numbers and email addresses as the API reads them."""

import re

E164 = re.compile(r"\+[1-9][0-9]{6,14}")
TEN_DIGITS = re.compile(r"[2-9][0-9]{9}")
ELEVEN_DIGITS = re.compile(r"1[2-9][0-9]{9}")
EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s.]+(?:\.[^@\s.]+)+")
PUNCTUATION = re.compile(r"[\s().\-]")


def phone_number(text: str) -> str | None:
    """Read `+12223334444` or `2223334444` as E.164; return None for anything else."""
    if E164.fullmatch(text):
        return text
    return f"+1{text}" if TEN_DIGITS.fullmatch(text) else None


def participant(text: str) -> str | None:
    """Read a phone number or an email address; return None for anything else."""
    return phone_number(text) or email(text)


def email(text: str) -> str | None:
    """Return an email address in lower case, or None if it is not valid."""
    return text.lower() if len(text) <= 254 and EMAIL.fullmatch(text) else None


def searched_number(text: str) -> str | None:
    """Read a number to search for, which may contain punctuation or lack its plus sign."""
    # A plus sign that was not percent-encoded arrives as a space: do not correct that silently.
    if text[:1].isspace():
        return None
    bare = PUNCTUATION.sub("", text)
    return f"+{bare}" if ELEVEN_DIGITS.fullmatch(bare) else phone_number(bare)
