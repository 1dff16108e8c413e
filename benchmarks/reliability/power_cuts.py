"""Checks by strace that every final name is on the disk only after its content, and then is brought there, too.

  python -m benchmarks.reliability.power_cuts --out=FOLDER -- generate --run=RUN --out=FOLDER/picture.png

strace lists the writes, syncs and renames of the command below FOLDER. Names inside hidden folders and inside the
folders of unfinished pictures are not final; what is not synced there is followed to the name that it gets. Reported
are files that were renamed with content that was not synced, names whose folder was not synced after the rename, and
files that were written under their final name and not synced at the end.
"""

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from absl import flags

from tf_psgan.cli import program

USAGE = "Checks the order of writes and syncs of a command."
CALLS = "write,pwrite64,writev,pwritev,ftruncate,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,mkdir"

UNFINISHED = re.compile(r"/\.|\.(parts|partial)/")
"""In the paths of names that are not final."""


def define(values: flags.FlagValues) -> None:
    """Defines the flags."""
    flags.DEFINE_string("out", None, "The folder that the command writes into.", flag_values=values)


def main(values: flags.FlagValues, command: list[str]) -> str:
    """Runs the command under strace; a report."""
    folder = Path(values.out).resolve()
    with tempfile.TemporaryDirectory() as temporary:
        trace = Path(temporary, "trace")
        strace = ["strace", "-f", "-y", "-s", "4096", "-e", f"trace={CALLS}", "-e", "signal=none", "-o", str(trace)]
        run = [sys.executable, "-c", "import sys; from tf_psgan.cli.main import main; sys.exit(main())", *command]
        code = subprocess.run([*strace, *run]).returncode
        with trace.open(errors="replace") as lines:
            names, problems = checked(lines, folder)
    return "\n".join([f"exit code {code}; {names} renames to final names; problems: {len(problems)}", *problems])


def checked(lines: Iterable[str], folder: Path) -> tuple[int, list[str]]:
    """The number of renames below a folder, and what was not brought to the disk in time."""
    dirty: set[str] = set()
    waiting: dict[str, str] = {}  # a final name, by the folder that must be synced
    names, problems = 0, []
    for call, text in _calls(lines):
        if call in ("write", "pwrite64", "writev", "pwritev", "ftruncate"):
            if path := _inside(re.search(r"\(\d+<([^>]*)>", text), folder):
                dirty.add(path)
        elif call in ("fsync", "fdatasync"):
            if path := _inside(re.search(r"\(\d+<([^>]*)>", text), folder):
                dirty.discard(path)
                waiting = {final: parent for final, parent in waiting.items() if parent != path}
        elif call in ("unlink", "unlinkat", "mkdir"):
            for path in _paths(text):
                dirty.discard(path)
                waiting.pop(path, None)
        elif call.startswith("rename") and len(paths := _paths(text)) == 2 and paths[1].startswith(str(folder)):
            source, target = paths
            below = {path for path in dirty if path == source or path.startswith(f"{source}/")}
            dirty = (dirty - below) | {target + path[len(source) :] for path in below}
            if UNFINISHED.search(target[len(str(folder)) :]):
                continue
            names += 1
            problems += [f"renamed before it was synced: {path} -> {target}" for path in sorted(below)]
            waiting[target] = str(Path(target).parent)
    problems += [f"renamed, and the folder was not synced: {path}" for path in waiting if Path(path).exists()]
    problems += [f"written and not synced: {path}" for path in sorted(dirty) if Path(path).exists()]
    return names, problems


def _calls(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Name and text of each finished call that did not fail."""
    begun: dict[str, str] = {}
    for line in lines:
        thread, _, rest = line.strip().partition(" ")
        rest = rest.strip()
        if rest.endswith("<unfinished ...>"):
            begun[thread] = rest.removesuffix("<unfinished ...>")
            continue
        if found := re.match(r"<\.\.\. \w+ resumed>(.*)", rest):
            rest = begun.pop(thread, "") + found[1]
        if (found := re.match(r"(\w+)\(", rest)) and not re.search(r"= -1 ", rest):
            yield found[1], rest


def _inside(found: re.Match[str] | None, folder: Path) -> str:
    return found[1] if found and found[1].startswith(f"{folder}") else ""


def _paths(text: str) -> list[str]:
    """The paths in a call's arguments, relative ones by the folder that is given with them or the current one."""
    found = re.findall(r'(?:AT_FDCWD<([^>]*)>, |\d+<([^>]*)>, )?"([^"]*)"', text)
    return [str(Path(here or there or Path.cwd(), path)) for here, there, path in found]


if __name__ == "__main__":
    arguments, _, rest = ("\0".join(sys.argv)).partition("\0--\0")
    sys.exit(program.run(arguments.split("\0"), USAGE, define, lambda values: main(values, rest.split("\0"))))
