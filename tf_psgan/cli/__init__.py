"""The command lines: flags, wording of errors, exit codes."""
