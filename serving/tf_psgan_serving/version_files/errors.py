"""The error of a version that must not be loaded."""


class VersionError(ValueError):
    """A version whose files are damaged, or whose graph has operations that no export of this project has.

    Args:
      text: one line for people: subject, value and remedy.
    """
