"""A secret shows itself nowhere unless it is asked to."""

from __future__ import annotations

import copy
import pickle
import traceback

import pytest

from psm_console.credentials import PasswordCredential, Secret

CANARY = b"canary-4711"


@pytest.mark.attack
def test_a_secret_is_in_no_text_made_of_it() -> None:
    secret = Secret(CANARY)

    for text in (
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret:>30}",
        f"{secret!r}",
        "%s" % secret,  # noqa: UP031
        repr([secret]),
        repr(PasswordCredential(secret)),
        str(PasswordCredential(secret)),
    ):
        assert "canary" not in text

    assert secret.reveal() == CANARY


@pytest.mark.attack
def test_a_secret_is_in_no_traceback_with_locals() -> None:
    secret = Secret(CANARY)
    try:
        raise ValueError(secret)
    except ValueError as error:
        text = "".join(
            traceback.TracebackException.from_exception(error, capture_locals=True).format()
        )

    assert "Secret(" in text and "canary" not in text


@pytest.mark.attack
def test_a_secret_is_not_written_copied_or_found_by_trying() -> None:
    secret = Secret(CANARY)

    for act in (pickle.dumps, copy.copy, copy.deepcopy, hash):
        with pytest.raises(TypeError):
            act(secret)
    with pytest.raises(TypeError):
        __import__("json").dumps(secret)


def test_secrets_compare_and_know_whether_they_are_empty() -> None:
    assert Secret(b"a") == Secret(b"a")
    assert Secret(b"a") != Secret(b"b")
    assert Secret(b"a") != b"a"
    assert not Secret(b"")
