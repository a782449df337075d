"""The documentation's table of faults."""

from .table import PAGE, render


def test_page_is_what_the_matrix_says() -> None:
    """The committed page is the one that the matrix renders."""
    assert PAGE.read_text() == render()
