"""Errors about data from outside: what is wrong, its value, and what would be accepted.

The library names no command-line flag. Each error carries the settings that the caller can change, and the command line
words the remedy from them.
"""

import functools
from collections.abc import Callable
from typing import Any

LISTED = 5
"""Details of an error that its text lists at most."""


class InputError(ValueError):
    """A value from outside that cannot be used.

    Args:
      subject: what is wrong: a setting, an argument, or a path.
      problem: what is wrong with it, with its value, without a full stop.
      allowed: what would be accepted, or the remedy, without a full stop.
      value: the value itself.
      settings: names of the settings or arguments to change.
      details: a sentence for each of several things that are wrong, for example for each picture. The text of the
        error has the first LISTED of them.
    """

    def __init__(
        self,
        subject: str,
        problem: str,
        allowed: str = "",
        *,
        value: Any = None,
        settings: tuple[str, ...] = (),
        details: tuple[str, ...] = (),
    ) -> None:
        self.headline = f"{subject}: {problem}{f'; {allowed}' if allowed else ''}"
        listed = "".join(f"\n  {detail}" for detail in details[:LISTED])
        more = f"\n  and {len(details) - LISTED} more." if len(details) > LISTED else ""
        super().__init__(f"{self.headline}:{listed}{more}" if details else f"{self.headline}.")
        self.subject, self.problem, self.allowed = subject, problem, allowed
        self.value, self.settings, self.details = value, settings, details

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str, ...]]:
        """For pickle, by which the error of a worker reaches the process that started it."""
        make = functools.partial(type(self), value=self.value, settings=self.settings, details=self.details)
        return make, (self.subject, self.problem, self.allowed)


class SettingError(InputError):
    """A setting or an argument out of range, or settings that do not go together."""


class PictureError(InputError):
    """A picture that cannot be read, used or written."""


class RunError(InputError):
    """A run folder that is missing, damaged, or of another run."""


class ExportError(InputError):
    """An exported model that is missing, damaged, or cannot be written."""
