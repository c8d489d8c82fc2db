"""How a replay moves, without a clock or a screen."""

from __future__ import annotations

from psm_console.console.playback import LEAD_S, SPEEDS, Playback


def test_it_plays_at_its_speed_and_stops_at_the_end() -> None:
    play = Playback(duration=10.0)
    play.toggle()
    play.advance(2.0)
    assert play.at == 2.0
    play.change_speed(1)
    play.advance(2.0)
    assert play.at == 6.0
    play.advance(100.0)
    assert play.at == 10.0 and not play.playing


def test_playing_on_from_the_end_starts_again() -> None:
    play = Playback(duration=10.0, at=10.0)
    play.toggle()
    assert play.playing and play.at == 0.0


def test_idle_spans_are_skipped_up_to_just_before_their_end_unless_told_not_to() -> None:
    play = Playback(duration=100.0, idle=[(10.0, 60.0)], at=9.0)
    play.toggle()
    play.advance(2.0)
    assert play.at == 60.0 - LEAD_S
    play = Playback(duration=100.0, idle=[(10.0, 60.0)], at=9.0, skipping=False)
    play.toggle()
    play.advance(2.0)
    assert play.at == 11.0 and play.idle_span() == (10.0, 60.0)


def test_stopped_it_does_not_move() -> None:
    play = Playback(duration=10.0, at=3.0)
    play.advance(5.0)
    assert play.at == 3.0


def test_seeking_is_clamped_to_the_recording() -> None:
    play = Playback(duration=10.0)
    play.seek(-5.0)
    assert play.at == 0.0
    play.seek(50.0)
    assert play.at == 10.0


def test_speeds_run_from_a_quarter_to_sixteen_and_no_further() -> None:
    play = Playback(duration=10.0)
    assert (SPEEDS[0], SPEEDS[-1]) == (0.25, 16.0)
    for _ in range(20):
        play.change_speed(1)
    assert play.speed == 16.0
    for _ in range(20):
        play.change_speed(-1)
    assert play.speed == 0.25


def test_markers_are_jumped_to_in_order_and_back() -> None:
    play = Playback(duration=100.0, markers=[10.0, 20.0, 30.0])
    assert play.jump(1) and play.at == 10.0
    assert play.jump(1) and play.at == 20.0
    assert play.jump(-1) and play.at == 10.0
    assert not play.jump(-1)
    play.seek(90.0)
    assert not play.jump(1) and play.at == 90.0
