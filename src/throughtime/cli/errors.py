"""Which errors are a user's to mend, and so shown as a message instead of a traceback."""

from __future__ import annotations

import dis


class Refusal(Exception):
    """What was asked cannot be done; the message says what was expected, what came and what to do."""


def is_refusal(error: BaseException) -> bool:
    """Whether an error is a message to the user rather than a fault.

    A :class:`Refusal` is. So is a ``ValueError`` that a ``raise`` statement of throughtime made: the library
    refuses impossible settings and files that way. One that comes out of another library, or out of a user's
    script, or that Python itself made, is a fault and keeps its traceback.

    Example:
        >>> is_refusal(Refusal("no such task")), is_refusal(ValueError("never raised"))
        (True, False)
    """
    if isinstance(error, Refusal):
        return True
    if not isinstance(error, ValueError) or error.__traceback__ is None:
        return False
    last = error.__traceback__
    while last.tb_next is not None:
        last = last.tb_next
    module = last.tb_frame.f_globals.get("__name__", "")
    raised = dis.opname[last.tb_frame.f_code.co_code[last.tb_lasti]] == "RAISE_VARARGS"
    return raised and module.partition(".")[0] == "throughtime"
