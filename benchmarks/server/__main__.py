"""The embedded server under attack, unfair load and restarts.

  python -m benchmarks.server --version=models/honeycomb/1 --other=models/smoke/1 [--parts=stalled,large] [--json=FILE]

Starts `psgan-server` with copies of exported versions on this machine and measures each part; prints Markdown. Clients
run on the same cores, and rounds with and without the load alternate, so that the ratios hold on a busy machine too.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from benchmarks.server import fairness, malformed, mixed, stalled, swaps
from benchmarks.server.processes import ServerProcess, publish

PARTS = ("stalled", "large", "swaps", "mixed", "malformed")


def main() -> int:
    """Measures the parts one after the other."""
    options = _options()
    found, texts = {}, []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        publish(options.version, _made(folder / "models"), 1)
        for part in options.parts.split(","):
            if part == "swaps":
                lines, found[part] = swaps.run(
                    options.version, _made(folder / "swaps"), options.swaps, options.swap_minutes
                )
            elif part == "mixed":
                versions = (options.version, options.other)
                models = _made(folder / "mixed")
                lines, found[part] = mixed.run(versions, models, options.restarts, options.minutes, options.seed)
            else:
                with ServerProcess(folder / "models") as server:
                    if part == "malformed":
                        lines, found[part] = malformed.run(server, options.requests, options.seed)
                    else:
                        measured = {"stalled": stalled, "large": fairness}[part]
                        lines, found[part] = measured.run(server, options.seconds)
            texts += [f"## {part}", "", *lines, ""]
            print("\n".join(texts[-len(lines) - 3 :]), flush=True)
            if options.json:
                options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks.server", description=__doc__.splitlines()[0])
    parser.add_argument("--version", type=Path, required=True, help="an exported version's folder")
    parser.add_argument("--other", type=Path, help="one with other pictures, for the part mixed")
    parser.add_argument("--parts", default=",".join(PARTS), help="what to measure (default: all)")
    parser.add_argument("--seconds", type=float, default=40.0, help="of each state of stalled and large")
    parser.add_argument("--swaps", type=int, default=200, help="new versions")
    parser.add_argument("--swap_minutes", type=float, default=60.0, help="longest time for them")
    parser.add_argument("--restarts", type=int, default=20, help="new starts under the mixed load")
    parser.add_argument("--minutes", type=float, default=6.0, help="of the mixed load after them")
    parser.add_argument("--requests", type=int, default=24_000, help="malformed requests")
    parser.add_argument("--seed", type=int, default=1, help="of what is drawn at random")
    parser.add_argument("--json", type=Path, help="where to write all values")
    options = parser.parse_args()
    if unknown := set(options.parts.split(",")) - set(PARTS):
        parser.error(f"--parts: {', '.join(sorted(unknown))} is unknown; choose of {','.join(PARTS)}")
    if "mixed" in options.parts.split(",") and not options.other:
        parser.error("--parts: mixed requires --other=FOLDER")
    return options


if __name__ == "__main__":
    sys.exit(main())
