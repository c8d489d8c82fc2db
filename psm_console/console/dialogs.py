"""The dialogs in front of an act: what will happen, why, and a way out that has the focus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Static

from psm_console.domain.text import visible

REASON_LIMIT = 500


@dataclass(frozen=True, slots=True)
class Question:
    """What a dialog asks. Lines are plain text; hostile parts are made visible here."""

    title: str
    facts: Sequence[tuple[str, str]]
    """Who and what it is about, as label and value."""
    consequence: str
    confirm: str
    """The word on the button that does it."""
    prompt: str = "Reason"
    required: bool = True
    destructive: bool = False
    typed: str = ""
    """What must be typed to show that this one is meant; empty: nothing."""
    others: Sequence[tuple[str, str]] = ()
    """Other ways to answer yes: a key for each, and the word on its button."""


class AskDialog(ModalScreen[str | None]):
    """Asks for a reason (or a message); returns it, or None for no.

    The focus is on Cancel. Typing goes to the reason anyway, so nobody is slowed down, and Enter
    alone can never do harm.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel"),
        Binding("up", "app.focus_previous", show=False),
        Binding("down", "app.focus_next", show=False),
    ]

    def __init__(self, question: Question) -> None:
        super().__init__()
        self.question = question
        self.other: str | None = None
        """Which of the other ways was chosen."""

    def compose(self) -> ComposeResult:
        """Lay out title, facts, consequence, fields and buttons."""
        question = self.question
        with Vertical(id="dialog", classes="-destructive" if question.destructive else ""):
            yield Static(Content(visible(question.title, 70)), id="title")
            for label, value in question.facts:
                yield Static(self._fact(label, value), classes="fact")
            yield Static(Content(question.consequence), id="consequence")
            yield Static(Content(question.prompt), classes="label")
            yield Input(id="reason", max_length=REASON_LIMIT, select_on_focus=False, compact=True)
            if question.typed:
                label = f"Type {question.typed}, the last four of the session's id"
                yield Static(Content(label), classes="label")
                yield Input(id="typed", max_length=len(question.typed), compact=True)
            yield Static(id="fault")
            with Horizontal(id="buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                for key, word in question.others:
                    yield Button(Content(word), id=f"other-{key}", classes="other", compact=True)
                yield Button(
                    Content(question.confirm),
                    id="confirm",
                    variant="error" if question.destructive else "primary",
                    compact=True,
                )

    def _fact(self, label: str, value: str) -> Content:
        return Content.assemble((f"{label:<10}", "$text-quiet"), Content(visible(value, 200)))

    def on_mount(self) -> None:
        """Put the focus where Enter does nothing."""
        self.set_focus(self.query_one("#cancel"))

    def on_key(self, event: events.Key) -> None:
        """Take what no field took: what is typed on a button belongs to the reason.

        Keys that come in one burst are all on their way to the button before the focus can move.
        """
        if event.is_printable and event.character:
            self._take(event.character)
            event.stop()

    def on_paste(self, event: events.Paste) -> None:
        """Take what was pasted on a button, its first line."""
        self._take(event.text.splitlines()[0] if event.text else "")

    def _take(self, text: str) -> None:
        field = self.query_one("#reason", Input)
        if isinstance(self.focused, Button):
            self.set_focus(field)
        field.insert_text_at_cursor(text if field.value else text.lstrip())

    @on(Input.Submitted)
    def _next_field(self, event: Input.Submitted) -> None:
        fault = self._fault()
        if fault is None:
            self.dismiss(self._reason())
        elif event.input.id == "reason" and self._reason() and self.question.typed:
            self.set_focus(self.query_one("#typed"))
        else:
            self._say(fault)

    @on(Button.Pressed, "#confirm")
    def _confirm(self) -> None:
        fault = self._fault()
        if fault is None:
            self.dismiss(self._reason())
        else:
            self._say(fault)

    @on(Button.Pressed, ".other")
    def _confirm_other(self, event: Button.Pressed) -> None:
        fault = self._fault()
        if fault is None:
            self.other = (event.button.id or "").removeprefix("other-")
            self.dismiss(self._reason())
        else:
            self._say(fault)

    @on(Button.Pressed, "#cancel")
    def action_cancel(self) -> None:
        """Close without doing anything."""
        self.dismiss(None)

    def _reason(self) -> str:
        return self.query_one("#reason", Input).value.strip()

    def _fault(self) -> str | None:
        """Return what is still missing, or None."""
        if self.question.required and not self._reason():
            return f"{self.question.prompt} is missing; {self.question.confirm} needs it."
        if self.question.typed:
            typed = self.query_one("#typed", Input).value.strip()
            if typed != self.question.typed:
                return f"That is not {self.question.typed}; nothing was done."
        return None

    def _say(self, fault: str) -> None:
        self.query_one("#fault", Static).update(Content(fault))
