"""The acts on recordings, and those that only the command line has."""

from __future__ import annotations

from psm_console.domain.authorise import Action

from .act import Act, Scope

LIBRARY = (
    Act(
        "recording.open",
        "Replay",
        "Replay the recording; the audit log notes who looked",
        ("enter",),
        (Scope.LIBRARY,),
        cli="psm recording play ID",
        action=Action.RECORDING_OPEN,
        footer=True,
    ),
    Act(
        "recording.verify",
        "Verify",
        "Check signatures and hashes of the recording",
        ("v",),
        (Scope.LIBRARY, Scope.REPLAY),
        cli="psm recording verify ID",
        action=Action.RECORDING_VERIFY,
        footer=True,
    ),
)

_AT = (Scope.REPLAY,)

REPLAY = (
    Act("replay.play", "Play/stop", "Play on from here, or stop", ("space",), _AT, footer=True),
    Act("replay.back", "5 s back", "Go back 5 seconds", ("left", "h"), _AT, call="replay_seek(-5)"),
    Act(
        "replay.forward",
        "5 s on",
        "Go forward 5 seconds",
        ("right", "l"),
        _AT,
        call="replay_seek(5)",
    ),
    Act(
        "replay.back_far",
        "10 % back",
        "Go back a tenth of the recording",
        ("shift+left", "H"),
        _AT,
        call="replay_leap(-10)",
    ),
    Act(
        "replay.forward_far",
        "10 % on",
        "Go forward a tenth of the recording",
        ("shift+right", "L"),
        _AT,
        call="replay_leap(10)",
    ),
    Act("replay.start", "Start", "Go to the beginning", ("home", "g"), _AT),
    Act("replay.end", "End", "Go to the end", ("end", "G"), _AT),
    Act(
        "replay.marker_before",
        "Marker before",
        "Jump to the marker before",
        ("left_square_bracket",),
        _AT,
        call="replay_marker(-1)",
    ),
    Act(
        "replay.marker_after",
        "Next marker",
        "Jump to the next marker",
        ("right_square_bracket",),
        _AT,
        footer=True,
        call="replay_marker(1)",
    ),
    Act(
        "replay.frame_before",
        "Frame before",
        "One change of the screen back",
        ("comma",),
        _AT,
        call="replay_step(-1)",
    ),
    Act(
        "replay.frame_after",
        "Next frame",
        "One change of the screen on",
        ("full_stop",),
        _AT,
        call="replay_step(1)",
    ),
    Act(
        "replay.slower",
        "Slower",
        "Half the speed, down to 0.25×",
        ("less_than_sign",),
        _AT,
        call="replay_speed(-1)",
    ),
    Act(
        "replay.faster",
        "Faster",
        "Twice the speed, up to 16×",
        ("greater_than_sign",),
        _AT,
        footer=True,
        call="replay_speed(1)",
    ),
    Act(
        "replay.idle",
        "Skip idle",
        "Skip the time in which nothing happens, or not",
        ("s",),
        _AT,
        footer=True,
    ),
    Act("replay.channel", "Channel", "Show the recording's next channel", ("tab",), _AT),
    Act("replay.maximise", "Maximise", "Give the screen all the room, or part of it", ("f",), _AT),
    Act("replay.follow", "Follow", "Let the view follow the cursor again", ("F",), _AT),
    *(
        Act(
            f"replay.pan_{side}",
            f"Pan {side}",
            f"Move the view {side}",
            (f"ctrl+{side}",),
            _AT,
            palette=False,
            call=f"replay_pan({right}, {down})",
        )
        for side, right, down in (("left", -8, 0), ("right", 8, 0), ("up", 0, -4), ("down", 0, 4))
    ),
    *(
        Act(
            f"replay.tenth_{tenth}",
            f"{tenth * 10} %",
            f"Go to {tenth * 10} % of the recording",
            (str(tenth),),
            _AT,
            palette=False,
            call=f"replay_tenth({tenth})",
        )
        for tenth in range(10)
    ),
)

COMMANDS = (
    Act(
        "session.list",
        "Sessions",
        "List sessions",
        scopes=(),
        cli="psm session ls",
        action=Action.SESSION_LIST,
    ),
    Act(
        "session.show",
        "Session",
        "Show all that is known of a session",
        scopes=(),
        cli="psm session show ID",
        action=Action.SESSION_SHOW,
    ),
    Act(
        "recording.list",
        "Recordings",
        "List recordings",
        scopes=(),
        cli="psm recording ls",
        action=Action.RECORDING_LIST,
    ),
    Act(
        "recording.show",
        "Recording",
        "Show all that is known of a recording",
        scopes=(),
        cli="psm recording show ID",
        action=Action.RECORDING_LIST,
    ),
    Act(
        "recording.screen",
        "Screen",
        "Print the screen at an instant",
        scopes=(),
        cli="psm recording screen ID --at SECONDS",
        action=Action.RECORDING_OPEN,
    ),
    Act(
        "recording.export",
        "Export",
        "Copy a recording out, as evidence or for other players",
        scopes=(),
        cli="psm recording export ID PATH",
        action=Action.RECORDING_EXPORT,
    ),
    Act(
        "target.list",
        "Targets",
        "List targets",
        scopes=(),
        cli="psm target ls",
        action=Action.INVENTORY_READ,
    ),
    Act(
        "account.list",
        "Accounts",
        "List accounts",
        scopes=(),
        cli="psm account ls",
        action=Action.INVENTORY_READ,
    ),
    Act(
        "identity.list",
        "Identities",
        "List identities",
        scopes=(),
        cli="psm identity ls",
        action=Action.INVENTORY_READ,
    ),
    Act(
        "inventory.apply",
        "Apply",
        "Make the inventory equal to a file; what is taken away ends the sessions that stood on it",
        scopes=(),
        cli="psm apply FILE",
        action=Action.INVENTORY_APPLY,
        destructive=True,
        changes=True,
    ),
    Act(
        "audit.list",
        "Audit log",
        "List who did what",
        scopes=(),
        cli="psm audit ls",
        action=Action.AUDIT_READ,
    ),
    Act(
        "audit.verify",
        "Verify audit",
        "Check that no entry of the audit log was changed or removed",
        scopes=(),
        cli="psm audit verify",
        action=Action.AUDIT_VERIFY,
    ),
)
