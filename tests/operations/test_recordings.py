"""The archive: looking is noted first, and one word says whether evidence is what it was."""

from __future__ import annotations

import os
import shutil

import pytest

from psm_console.operations import (
    Failed,
    NotFound,
    list_orphans,
    list_recordings,
    open_recording,
    show_recording,
    verify_folder,
    verify_recording,
)
from psm_console.recording import VerdictWord
from psm_console.store import Store

from .office import Office


def word(place: Office, name: str = "s-7100") -> VerdictWord:
    """Return the verdict on a recording of the archive."""
    return verify_recording(place.store, place.who("auditor"), name, place.now).verdict.word


def test_opening_is_noted_and_says_where_the_recording_is(place: Office) -> None:
    folder = place.record()

    opened = open_recording(place.store, place.who("reviewer"), "s-71", place.now)

    assert (opened.folder, opened.info.id) == (folder, "s-7100")
    entry = place.store.audit.list()[-1]
    assert (entry.action, entry.actor, entry.session) == ("recording.open", "reviewer", "s-7100")


@pytest.mark.fault
def test_where_looking_can_not_be_noted_nothing_is_opened(place: Office) -> None:
    place.record()
    with Store.open(place.home, read_only=True) as reader, pytest.raises(Failed):
        open_recording(reader, place.who("reviewer"), "s-7100", place.now)


def test_a_recording_that_is_gone_says_so_and_the_try_is_noted(place: Office) -> None:
    shutil.rmtree(place.record())

    with pytest.raises(Failed, match="is missing"):
        open_recording(place.store, place.who("reviewer"), "s-7100", place.now)

    assert place.actions()[-1] == "recording.open"


def test_a_session_without_a_recording_is_not_found(place: Office) -> None:
    place.begin()
    for act in (open_recording, show_recording, verify_recording):
        role = "auditor" if act is verify_recording else "reviewer"
        with pytest.raises(NotFound):
            act(place.store, place.who(role), "s-7100", place.now)


def test_a_whole_recording_is_ok_and_the_verdict_is_noted(place: Office) -> None:
    folder = place.record()

    assert word(place) is VerdictWord.OK

    entry = place.store.audit.list()[-1]
    assert (entry.action, entry.detail) == ("recording.verify", {"verdict": "OK"})
    assert verify_folder(place.home, folder).word is VerdictWord.OK


def test_a_crash_is_told_from_a_cut_tail_by_what_the_store_knows(place: Office) -> None:
    folder = place.record("crash", closed=False)
    assert word(place, "crash") is VerdictWord.INCOMPLETE
    cast = folder / "1-shell.cast"

    os.truncate(cast, cast.stat().st_size // 2)

    assert word(place, "crash") is VerdictWord.TRUNCATED


@pytest.mark.attack
def test_what_was_done_to_evidence_is_found(place: Office) -> None:
    for name in ("flip", "gone", "swapped", "other"):
        place.record(name)
    cast = place.home.recordings / "flip" / "1-shell.cast"
    cast.write_bytes(cast.read_bytes().replace(b"hello", b"jello"))
    shutil.rmtree(place.home.recordings / "gone")
    shutil.rmtree(place.home.recordings / "swapped")
    shutil.copytree(place.home.recordings / "other", place.home.recordings / "swapped")

    assert word(place, "flip") is VerdictWord.CORRUPT
    assert word(place, "gone") is VerdictWord.MISSING
    assert word(place, "swapped") is VerdictWord.ORPHAN
    assert word(place, "other") is VerdictWord.OK


@pytest.mark.attack
def test_a_recording_remade_with_our_own_key_is_found_by_the_digest_in_the_audit_log(
    place: Office,
) -> None:
    shutil.rmtree(place.record())
    with place.store.transaction():
        for table in ("recording_files", "recordings", "sessions"):
            place.store._connection.run(f"DELETE FROM {table}")

    place.record(noted=False, reason="another story")

    assert word(place) is not VerdictWord.OK


@pytest.mark.attack
def test_folders_that_nobody_recorded_are_orphans(place: Office) -> None:
    place.record()
    (place.home.recordings / "planted").mkdir()

    found = list_orphans(place.store, place.who("auditor"), place.now)

    assert [folder.name for folder in found] == ["planted"]


def test_recordings_are_listed_and_shown_without_their_content(place: Office) -> None:
    place.record("a")
    place.record("b", operator="bo", closed=False)
    ann = place.who("analyst")

    assert [info.id for info in list_recordings(place.store, ann, place.now)] == ["a", "b"]
    (info,) = list_recordings(place.store, ann, place.now, operator="ana")
    assert info == show_recording(place.store, ann, "a", place.now)
    assert (info.duration_s, info.sealed) == (1.0, ("1-shell.cast", "session.json"))
    assert place.store.recordings.get("b").closed_at is None


def test_trusted_keys_that_can_not_be_read_are_a_sentence(place: Office) -> None:
    folder = place.record()
    place.home.allowed_signers.write_text("psm ssh-ed25519 AAAA\n")
    with pytest.raises(Failed, match="namespaces"):
        verify_folder(place.home, folder)

    place.home.allowed_signers.unlink()
    with pytest.raises(Failed):
        verify_folder(place.home, folder)
