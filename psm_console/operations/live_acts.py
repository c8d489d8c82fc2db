"""The acts of the whole console, its lists, and live sessions."""

from __future__ import annotations

from psm_console.domain.authorise import Action

from .act import Act, Scope

_MOVING = (Scope.SHADOW,)

GLOBAL = (
    Act(
        "room.live",
        "Live",
        "Show the live sessions",
        ("1",),
        cli="psm session ls",
        over_ssh=True,
        call="room('live')",
    ),
    Act(
        "room.library",
        "Library",
        "Show the recordings",
        ("2",),
        cli="psm recording ls",
        over_ssh=True,
        call="room('library')",
    ),
    Act(
        "app.palette",
        "Commands",
        "Find and run anything by name",
        ("ctrl+p", "colon"),
        footer=True,
        palette=False,
        call="command_palette",
    ),
    Act("app.help", "Help", "Show what every key does here", ("question_mark", "f1"), footer=True),
    Act("app.theme", "Theme…", "Choose the colours", ("T",), call="choose_theme"),
    Act(
        "app.back",
        "Back",
        "Close what is on top: filter, dialog, shadow, replay",
        ("escape",),
        palette=False,
        call="back",
    ),
    Act("app.quit", "Quit", "Leave the console; sessions go on", ("q",), call="leave"),
)

LIST = (
    Act("list.down", "Down", "Next row", ("j", "down"), (Scope.LIST,), palette=False),
    Act("list.up", "Up", "Row before", ("k", "up"), (Scope.LIST,), palette=False),
    Act("list.top", "Top", "First row", ("g", "home"), (Scope.LIST,), palette=False),
    Act("list.bottom", "Bottom", "Last row", ("G", "end"), (Scope.LIST,), palette=False),
    Act(
        "list.page_down",
        "Page down",
        "A page further",
        ("ctrl+d", "pagedown"),
        (Scope.LIST,),
        palette=False,
    ),
    Act(
        "list.page_up", "Page up", "A page back", ("ctrl+u", "pageup"), (Scope.LIST,), palette=False
    ),
    Act(
        "list.filter",
        "Filter",
        "Show only rows with these words",
        ("slash",),
        (Scope.LIST,),
        footer=True,
    ),
    Act("list.sort", "Sort", "Sort by the next column", ("s",), (Scope.LIST,), footer=True),
)

SESSION = (
    Act(
        "session.shadow",
        "Shadow",
        "Watch the session's screen live; the operator's broker and the audit log know",
        ("enter",),
        (Scope.LIVE,),
        cli="psm session shadow ID",
        over_ssh=True,
        action=Action.SESSION_SHADOW,
        footer=True,
    ),
    Act(
        "session.pause",
        "Pause…",
        "Throw away what the operator types and hold back output, until somebody resumes; "
        "on a paused session: resume",
        ("p",),
        (Scope.ORDER,),
        cli="psm session pause ID --reason TEXT",
        over_ssh=True,
        action=Action.SESSION_PAUSE,
        changes=True,
        footer=True,
    ),
    Act(
        "session.resume",
        "Resume…",
        "Deliver what was held back and let the operator type again",
        (),
        (Scope.ORDER,),
        cli="psm session resume ID --reason TEXT",
        over_ssh=True,
        action=Action.SESSION_RESUME,
        changes=True,
    ),
    Act(
        "session.warn",
        "Message…",
        "Show a message in the operator's terminal",
        ("m",),
        (Scope.ORDER,),
        cli="psm session warn ID TEXT",
        over_ssh=True,
        action=Action.SESSION_WARN,
        changes=True,
        footer=True,
    ),
    Act(
        "session.terminate",
        "Terminate…",
        "Cut the session at once on both sides; the operator reads the reason",
        ("K",),
        (Scope.ORDER,),
        cli="psm session terminate ID --reason TEXT",
        over_ssh=True,
        action=Action.SESSION_TERMINATE,
        destructive=True,
        needs_reason=True,
        changes=True,
        footer=True,
    ),
    Act(
        "session.link",
        "Copy link",
        "Copy a psm:// link to this session or instant",
        ("y",),
        (Scope.ORDER, Scope.REPLAY),
        cli="psm console psm://session/ID@T",
        over_ssh=True,
        call="copy_link",
    ),
)

SHADOW = (
    Act("shadow.channel", "Channel", "Show the session's next channel", ("tab",), _MOVING),
    Act(
        "shadow.maximise",
        "Maximise",
        "Give the screen all the room, or part of it",
        ("f",),
        _MOVING,
        footer=True,
    ),
    Act(
        "shadow.follow",
        "Follow",
        "Let the view follow the cursor again",
        ("0",),
        _MOVING,
        footer=True,
    ),
    Act(
        "shadow.left",
        "Left",
        "Move the view left",
        ("h", "left"),
        _MOVING,
        palette=False,
        call="shadow_pan(-8, 0)",
    ),
    Act(
        "shadow.down",
        "Down",
        "Move the view down",
        ("j", "down"),
        _MOVING,
        palette=False,
        call="shadow_pan(0, 4)",
    ),
    Act(
        "shadow.up",
        "Up",
        "Move the view up",
        ("k", "up"),
        _MOVING,
        palette=False,
        call="shadow_pan(0, -4)",
    ),
    Act(
        "shadow.right",
        "Right",
        "Move the view right",
        ("l", "right"),
        _MOVING,
        palette=False,
        call="shadow_pan(8, 0)",
    ),
)
