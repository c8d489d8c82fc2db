"""Whatever goes wrong below is a sentence with an exit code above."""

from __future__ import annotations

import pytest

from psm_console import store
from psm_console.credentials import CredentialError
from psm_console.operations import PsmError, errors, in_words


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (store.NotFound("x"), errors.NotFound, 3),
        (store.Ambiguous("x"), errors.Usage, 2),
        (store.DocumentError("x"), errors.Usage, 2),
        (store.HomeError("x"), errors.Usage, 2),
        (store.StoreBusy("x"), errors.Failed, 1),
        (store.StoreError("x"), errors.Failed, 1),
        (CredentialError("x"), errors.Failed, 1),
    ],
)
def test_errors_of_the_rooms_below_have_their_exit_code(
    error: Exception, kind: type[PsmError], code: int
) -> None:
    told = in_words(error)

    assert (type(told), told.exit_code, told.sentence) == (kind, code, "x")


def test_the_exit_codes_are_those_of_the_command_line() -> None:
    codes = {kind.__name__: kind.exit_code for kind in PsmError.__subclasses__()}

    assert codes == {
        "Failed": 1,
        "Usage": 2,
        "NotFound": 3,
        "Denied": 4,
        "Integrity": 6,
        "Unreachable": 69,
    }


def test_a_mistake_of_ours_is_not_dressed_up() -> None:
    @errors.told
    def act() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        act()
