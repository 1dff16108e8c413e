#!/usr/bin/env bash
# Builds the wheel, installs it into a fresh virtual environment, and uses it from an empty folder, without the checkout:
# trains a preset, makes a picture, exports, starts the server, and requests the same picture from it.
#   bash tests/wheel.sh [PRESET [FLAG_OF_PSGAN_TRAIN...]]
#   bash tests/wheel.sh honeycomb --minutes=1
# The default preset is smoke. Takes a few minutes and 2 GB of disk, most of both for TensorFlow. PYTHON names another
# interpreter, CONSTRAINTS a file of versions for pip.
set -euo pipefail

preset=${1:-smoke}
shift || true
checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
export TF_CPP_MIN_LOG_LEVEL=2

# Tracked and new files only: a build folder left in the checkout would add old modules to the wheel.
mkdir "$work/source" "$work/elsewhere"
git -C "$checkout" ls-files -z --cached --others --exclude-standard |
  tar --create --directory "$checkout" --null --files-from - --file - | tar --extract --directory "$work/source"
"${PYTHON:-python3}" -m venv "$work/environment"
bin=$work/environment/bin
"$bin/pip" wheel --quiet --no-deps --wheel-dir "$work/wheel" "$work/source"
"$bin/pip" install --quiet ${CONSTRAINTS:+--constraint "$CONSTRAINTS"} "$(echo "$work"/wheel/*.whl)[serving]"
rm -rf "$work/source"
echo "installed after $SECONDS s: $(cd "$work/wheel" && echo *.whl), $(du -sh "$work/wheel" | cut -f 1)"

cd "$work/elsewhere"
unset PYTHONPATH
"$bin/python" -c 'import sys, tf_psgan, tf_psgan_serving
for package in (tf_psgan, tf_psgan_serving):
    assert package.__file__.startswith(sys.prefix), package.__file__'
"$bin/psgan" train "--preset=$preset" --run=run "$@"
echo "trained after $SECONDS s"
"$bin/psgan" generate --run=run --out=library.png --height=96 --width=80 --seed=3
"$bin/psgan" export --run=run --out=models/texture
echo "exported after $SECONDS s"

"$bin/psgan-server" --models=models --port=0 2>server.log &
server=$!
for ((waited = 0; waited < 300; waited++)); do
  port=$(sed -n 's/.*listening on [^:]*:\([0-9]*\),.*/\1/p' server.log)
  if [ -n "$port" ] || ! kill -0 "$server" 2>/dev/null; then break; fi
  sleep 1
done
[ -n "$port" ] || { cat server.log >&2; exit 1; }
"$bin/psgan-client" "--server=127.0.0.1:$port" --model=texture --out=client.png --height=96 --width=80 --seed=3
kill -TERM "$server"
wait "$server"
server=
"$bin/python" -c 'import numpy as np
from PIL import Image
library, client = (np.asarray(Image.open(name)).astype(int) for name in ("library.png", "client.png"))
assert library.shape == client.shape == (96, 80, 3)
difference = np.abs(library - client).max()
print("largest difference between the library and the server:", difference)
assert difference <= 1 and client.std() > 0'
echo "served after $SECONDS s"
