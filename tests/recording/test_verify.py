"""One word about a recording: the right one for each way to break it, and never an exception."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from psm_console.domain.policy import RecordingPolicy
from psm_console.recording.signing import Checkpoint
from psm_console.recording.verify import Verdict, VerdictWord, verify

from .making import make_recorder, open_exec, open_shell, trusted

Known = dict[str, tuple[int, str]]
BLOB = bytes(range(256)) * 8


class Made:
    """A recording of a shell and an exec with bulk data, and what a store would know of it."""

    def __init__(
        self, root: Path, session: str = "s1", *, seed: int = 1, closed: bool = True
    ) -> None:
        self.known: Known = {}
        policy = RecordingPolicy(checkpoint_bytes=2500)
        recorder = make_recorder(root, session, policy=policy, seed=seed, on_checkpoint=self.note)
        shell, piped = open_shell(recorder, 1), open_exec(recorder, 2)
        for number in range(12):
            shell.output(number, b"line %d \xff\r\n" % number)
            piped.output(number, BLOB)
        self.digest = recorder.close(20, "done").digest if closed else None
        self.recorder = recorder
        self.folder = root / session
        self.shell = self.folder / "1-shell.cast"

    def note(self, point: Checkpoint) -> None:
        self.known[point.file] = (point.offset, point.sha256)

    def verdict(self, *, store: bool = True, seed: int = 1) -> Verdict:
        return verify(
            self.folder,
            trusted=trusted(seed),
            known=self.known if store else None,
            closed_digest=self.digest if store else None,
        )

    def word(self, *, store: bool = True) -> VerdictWord:
        return self.verdict(store=store).word


@pytest.mark.parametrize("store", [True, False])
def test_a_closed_recording_is_ok(tmp_path: Path, store: bool) -> None:
    verdict = Made(tmp_path).verdict(store=store)

    assert (verdict.word, verdict.ok) == (VerdictWord.OK, True), verdict
    assert {file.name for file in verdict.files} == {"1-shell.cast", "2-exec.cast", "session.json"}


@pytest.mark.fault
@pytest.mark.parametrize("store", [True, False])
def test_a_recording_whose_broker_died_is_incomplete(tmp_path: Path, store: bool) -> None:
    made = Made(tmp_path, closed=False)

    made.recorder.checkpoint(15)
    verdict = made.verdict(store=store)
    assert (verdict.word, verdict.detail[-19:]) == ("INCOMPLETE", "all of it is signed")
    with made.shell.open("ab") as file:
        file.write(b'[0.1, "o", "torn')
    verdict = made.verdict(store=store)
    assert verdict.word is VerdictWord.INCOMPLETE
    size = made.shell.stat().st_size
    unsigned = size - made.shell.read_bytes().rindex(b"\n", 0, -1) - 1
    assert f"the last {unsigned} of {size} bytes are not signed" in verdict.detail


@pytest.mark.attack
def test_every_cut_of_a_closed_cast_is_seen(tmp_path: Path) -> None:
    made = Made(tmp_path)
    whole = made.shell.read_bytes()
    with_store, alone = set(), set()
    last = whole.rindex(b"# psm end")
    for end in [*reversed(range(last - 5, len(whole))), *reversed(range(0, last - 5, 17))]:
        os.truncate(made.shell, end)
        with_store.add(made.word())
        alone.add(made.word(store=False))

    assert with_store == {VerdictWord.TRUNCATED}
    assert alone <= {VerdictWord.INCOMPLETE, VerdictWord.CORRUPT}
    made.shell.write_bytes(whole)
    assert made.word() is VerdictWord.OK


@pytest.mark.attack
@pytest.mark.parametrize("name", ["1-shell.cast", "2-exec.cast", "2-exec.bin", "session.json"])
def test_every_flipped_bit_is_seen(tmp_path: Path, name: str) -> None:
    made = Made(tmp_path)
    path = made.folder / name
    whole = path.read_bytes()
    chance = random.Random(1)
    for at in range(0, len(whole), max(1, len(whole) // 120)):
        flipped = bytearray(whole)
        flipped[at] ^= 1 << chance.randrange(8)
        path.write_bytes(flipped)

        assert not made.verdict(store=False).ok, f"{name} byte {at}"
        assert not made.verdict().ok
    path.write_bytes(whole)
    assert made.word() is VerdictWord.OK


def cut_bin(made: Made) -> None:
    os.truncate(made.folder / "2-exec.bin", 5000)


def grow_bin(made: Made) -> None:
    with (made.folder / "2-exec.bin").open("ab") as file:
        file.write(b"more")


def edit_between_signatures(made: Made) -> None:
    text = made.shell.read_bytes()
    made.shell.write_bytes(text.replace(b"line 3", b"line 8"))


def append_after_the_end(made: Made) -> None:
    with made.shell.open("ab") as file:
        file.write(b'[1.0, "o", "forged"]\n')


def append_half_a_line(made: Made) -> None:
    with made.shell.open("ab") as file:
        file.write(b"x")


def swap_files(made: Made) -> None:
    os.replace(made.folder / "2-exec.cast", made.folder / "1-shell.cast")


def forget_a_channel(made: Made) -> None:
    made.shell.unlink()


def drop_session(made: Made) -> None:
    (made.folder / "session.json").unlink()


def link_elsewhere(made: Made) -> None:
    made.shell.rename(made.folder.parent / "elsewhere")
    made.shell.symlink_to(made.folder.parent / "elsewhere")


def pipe(made: Made) -> None:
    made.shell.unlink()
    os.mkfifo(made.shell)


def unsign(made: Made) -> None:
    lines = made.shell.read_bytes().split(b"\n")
    made.shell.write_bytes(b"\n".join(line for line in lines if b"# psm sig" not in line))


def stray_cast(made: Made) -> None:
    (made.folder / "9-shell.cast").write_bytes(made.shell.read_bytes())


def foreign_cast(made: Made) -> None:
    (made.folder / "9-shell.cast").write_bytes(b'{"version": 2, "width": 80, "height": 24}\n')


def stray_bin(made: Made) -> None:
    (made.folder / "9-exec.bin").write_bytes(b"x")


def huge_line(made: Made) -> None:
    with made.shell.open("ab") as file:
        file.write(b"#" * (17 << 20) + b"\n")


def break_signature(made: Made) -> None:
    text = made.shell.read_bytes()
    at = text.rindex(b'"signature":"') + 80
    made.shell.write_bytes(
        text[:at] + (b"B" if text[at : at + 1] == b"A" else b"A") + text[at + 1 :]
    )


def respell_signature(made: Made) -> None:
    text = made.shell.read_bytes()
    at = text.rindex(b'"offset":')
    made.shell.write_bytes(text[:at] + b" " + text[at:])


def add_to_signature(made: Made) -> None:
    made.shell.write_bytes(made.shell.read_bytes()[:-2] + b',"note":"looks fine"}\n')


W = VerdictWord


@pytest.mark.attack
@pytest.mark.parametrize(
    ("damage", "alone", "with_store"),
    [
        (cut_bin, W.TRUNCATED, W.TRUNCATED),
        (grow_bin, W.CORRUPT, W.CORRUPT),
        (edit_between_signatures, W.CORRUPT, W.CORRUPT),
        (append_after_the_end, W.CORRUPT, W.CORRUPT),
        (append_half_a_line, W.CORRUPT, W.CORRUPT),
        (swap_files, W.BAD_SIGNATURE, W.MISSING),
        (forget_a_channel, W.OK, W.MISSING),
        (drop_session, W.MISSING, W.MISSING),
        (link_elsewhere, W.CORRUPT, W.CORRUPT),
        (pipe, W.CORRUPT, W.CORRUPT),
        (unsign, W.INCOMPLETE, W.TRUNCATED),
        (stray_cast, W.BAD_SIGNATURE, W.ORPHAN),
        (foreign_cast, W.ORPHAN, W.ORPHAN),
        (stray_bin, W.ORPHAN, W.ORPHAN),
        (huge_line, W.CORRUPT, W.CORRUPT),
        (break_signature, W.BAD_SIGNATURE, W.BAD_SIGNATURE),
        (respell_signature, W.CORRUPT, W.CORRUPT),
        (add_to_signature, W.CORRUPT, W.CORRUPT),
    ],
)
def test_damage_gets_its_word(
    tmp_path: Path, damage: Callable[[Made], None], alone: VerdictWord, with_store: VerdictWord
) -> None:
    made = Made(tmp_path)

    damage(made)

    assert (made.word(store=False), made.word()) == (alone, with_store)


@pytest.mark.attack
def test_a_cast_of_another_session_is_an_orphan_even_when_validly_signed(tmp_path: Path) -> None:
    made, other = Made(tmp_path, "s1"), Made(tmp_path, "s2")
    shutil.copy(other.shell, made.shell)

    assert made.word(store=False) is VerdictWord.ORPHAN


@pytest.mark.attack
def test_a_whole_recording_put_in_place_of_another_is_an_orphan(tmp_path: Path) -> None:
    made, other = Made(tmp_path, "s1"), Made(tmp_path, "s2")
    shutil.rmtree(made.folder)
    shutil.copytree(other.folder, made.folder)

    assert made.word() is VerdictWord.ORPHAN
    assert made.word(store=False) is VerdictWord.OK


@pytest.mark.attack
def test_an_older_state_of_a_recording_is_truncated(tmp_path: Path) -> None:
    made = Made(tmp_path, closed=False)
    shutil.copytree(made.folder, tmp_path / "older")
    made.digest = made.recorder.close(30, "done").digest
    shutil.rmtree(made.folder)
    shutil.copytree(tmp_path / "older", made.folder)

    assert made.word() is VerdictWord.TRUNCATED


@pytest.mark.attack
def test_a_recording_made_again_with_another_key_is_not_ok(tmp_path: Path) -> None:
    made = Made(tmp_path, seed=2)

    assert made.word(store=False) is VerdictWord.KEY_UNKNOWN
    assert made.verdict(store=False, seed=2).word is VerdictWord.OK


def test_a_closed_recording_that_lost_its_end_is_truncated_even_without_checkpoints(
    tmp_path: Path,
) -> None:
    made = Made(tmp_path)
    text = made.shell.read_bytes()
    made.shell.write_bytes(text[: text.index(b"# psm end")])

    verdict = verify(made.folder, trusted=trusted(), closed_digest=made.digest)

    assert verdict.word is VerdictWord.TRUNCATED


def test_nothing_there_is_missing_and_no_channel_is_incomplete(tmp_path: Path) -> None:
    assert verify(tmp_path / "none", trusted=trusted()).word is VerdictWord.MISSING
    make_recorder(tmp_path).close(0, "done")
    assert verify(tmp_path / "s1", trusted=trusted()).word is VerdictWord.INCOMPLETE


@pytest.mark.attack
def test_hostile_folders_get_a_word(tmp_path: Path) -> None:
    made = Made(tmp_path)
    originals = {path.name: path.read_bytes() for path in made.folder.iterdir()}
    chance = random.Random(7)
    pieces = [b"# psm sig ", b"# psm bin ", b"# psm end {}\n", b'{"a":' * 3000, b"[" * 3000, b"\0"]
    for _ in range(150):
        name = chance.choice(sorted(originals))
        data = bytearray(originals[name])
        for _ in range(chance.randrange(1, 4)):
            at, length = chance.randrange(len(data) + 1), chance.randrange(200)
            other = originals[chance.choice(sorted(originals))]
            start = chance.randrange(len(other))
            splice = chance.choice([other[start : start + length], chance.choice(pieces), b""])
            data[at : at + chance.choice([0, length])] = splice
        (made.folder / name).write_bytes(data)

        verdict = made.verdict(store=False)

        assert verdict.detail.isprintable()
        assert not verdict.ok or bytes(data) == originals[name]
        (made.folder / name).write_bytes(originals[name])


@pytest.mark.attack
def test_names_that_are_no_text_and_hostile_details_are_shown_escaped(tmp_path: Path) -> None:
    made = Made(tmp_path)
    with open(os.fsencode(made.folder) + b"/\x1b[31m\xff.cast", "wb") as file:
        file.write(b"x")

    verdict = made.verdict(store=False)

    assert verdict.word is VerdictWord.ORPHAN
    assert verdict.detail.isprintable()
