"""The supervisor's verbs on a screen: ask, give the order, show what became of it."""

from __future__ import annotations

from functools import partial

from psm_console.domain.authorise import Action, Context, Permitted, authorise
from psm_console.domain.pause import unwatched
from psm_console.domain.session import Directive, Outcome, Session, SessionState, Verb
from psm_console.domain.supervision import unsupervised
from psm_console.domain.text import visible
from psm_console.operations.errors import PsmError

from . import figures
from .dialogs import AskDialog, Question
from .facts import RUNS_ON, order_title, outcome_sentence, state_line
from .room import Room

_ACTIONS = {
    "session_pause": Action.SESSION_PAUSE,
    "session_resume": Action.SESSION_RESUME,
    "session_warn": Action.SESSION_WARN,
    "session_terminate": Action.SESSION_TERMINATE,
    "session_shadow": Action.SESSION_SHADOW,
}
_GONE = {SessionState.LOST, SessionState.ENDED}


def question_for(verb: Verb, session: Session) -> Question:
    """Return what is asked before an order is given."""
    facts = (
        ("Session", f"{session.operator} on {session.account}"),
        ("State", state_line(session)),
        ("Since", figures.day(session.started_at)),
    )
    match verb:
        case Verb.PAUSE:
            return Question(
                "Pause this session?",
                facts,
                "The operator's typing is thrown away and output is held back until somebody "
                "resumes. This console holds the pause: when it is left, others are told. "
                f"Mind: {RUNS_ON}.",
                "Pause",
            )
        case Verb.RESUME:
            return _question_of_resume(session, facts)
        case Verb.WARN:
            return Question(
                "Warn the operator",
                facts,
                "Your words appear in the operator's terminal, with your name, and are marked in "
                "the recording.",
                "Send",
                prompt="Message",
            )
        case Verb.TERMINATE:
            return Question(
                "Terminate this session?",
                facts,
                "The connection is cut at once on both sides; programs that hang on it end. The "
                "operator reads your reason. This can not be undone.",
                "Terminate",
                destructive=True,
                typed=session.id[-4:],
            )


def _question_of_resume(session: Session, facts: tuple[tuple[str, str], ...]) -> Question:
    others: list[tuple[str, str]] = []
    said = "Output that was held back is delivered, and the operator can type again."
    if session.held:
        channels = ", ".join(f"{one.channel} ({figures.size(one.size)})" for one in session.held)
        said += (
            f" Input that waits goes to the target: channel {channels}. Or close what has no "
            "terminal, and none of it runs."
        )
        others.append(("close", "Resume, close these"))
    if unsupervised(session):
        said += " It works only while a supervisor shadows it: do that first, or this is refused."
    if unwatched(session):
        said += " Nobody holds this pause: hold it instead, and it stays."
        others.append(("hold", "Hold the pause"))
    return Question("Resume this session?", facts, said, "Resume", others=others)


class Orders(Room):
    """A room that has a session one may act on."""

    def chosen(self) -> Session | None:
        """Return the session that the verbs are about."""
        raise AssertionError("a screen with orders must say which session is meant")

    def order_changed(self, directive: Directive) -> None:
        """Show an order's newest outcome; called when it was given and when it was answered."""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Grey what this person may not do here, and what read-only mode forbids."""
        wanted = _ACTIONS.get(action)
        if wanted is None:
            return super().check_action(action, parameters)
        session = self.chosen()
        context = Context(session.operator if session else None, self.place.read_only)
        allowed = isinstance(authorise(self.place.actor, wanted, context), Permitted)
        return True if allowed else None

    def action_session_pause(self) -> None:
        """Pause, or resume what is paused."""
        session = self.chosen()
        paused = session is not None and session.state is SessionState.PAUSED
        self._ask(Verb.RESUME if paused else Verb.PAUSE)

    def action_session_resume(self) -> None:
        """Resume."""
        self._ask(Verb.RESUME)

    def action_session_warn(self) -> None:
        """Send words to the operator's terminal."""
        self._ask(Verb.WARN)

    def action_session_terminate(self) -> None:
        """End the session."""
        self._ask(Verb.TERMINATE)

    def _ask(self, verb: Verb) -> None:
        session = self.chosen()
        if session is None:
            self.notify("There is no session to act on.", severity="warning", markup=False)
            return
        if session.state in _GONE:
            self.notify(
                f"The session is {session.state}: nobody is left to obey.",
                severity="warning",
                markup=False,
            )
            return

        dialog = AskDialog(question_for(verb, session))

        def answered(reason: str | None) -> None:
            if reason is not None:
                meant = Verb.PAUSE if dialog.other == "hold" else verb
                give = partial(self._give, meant, session, reason, dialog.other == "close")
                self.start(give, group="orders")

        self.app.push_screen(dialog, answered)

    async def _give(self, verb: Verb, session: Session, words: str, close_held: bool) -> None:
        """Give the order, wait for the broker's word, and say what it was."""
        desk = self.place.desk
        try:
            directive = await desk.order(verb, session.id, words, close_held=close_held)
            self.order_changed(directive)
            directive = await desk.outcome(directive)
        except PsmError as error:
            self.notify(visible(str(error)), severity="error", markup=False, timeout=10)
            return
        self.order_changed(directive)
        bad = order_title(directive)[1] != "outcome-done"
        pending = directive.outcome in (Outcome.PENDING, Outcome.CLAIMED)
        self.notify(
            f"{visible(session.operator)} on {visible(str(session.account))}: "
            f"{outcome_sentence(directive)}",
            severity="warning" if pending else "error" if bad else "information",
            markup=False,
            timeout=10 if bad or pending else 5,
        )
