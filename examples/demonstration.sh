#!/usr/bin/env bash
# Builds the demonstration page: trains presets, unless their runs are complete, and exports each into one web page.
#   npm install onnxruntime-web@1.30.0
#   bash examples/demonstration.sh page honeycomb many
# Run it from the root of a checkout. The default presets take an hour and five minutes on two cores, nearly all for
# "many". Runs are in runs/. ONNXRUNTIME_WEB names another folder of the npm package.
set -euo pipefail
page=${1:?"give the folder of the page"}
shift
[ $# -gt 0 ] || set -- honeycomb many
for preset in "$@"; do
  if [ "$preset" = many ] && [ ! -d runs/many-pictures ]; then
    python -m tf_psgan.procedural --variations=56 --out=runs/many-pictures
  fi
  python train.py --preset="$preset" --run="runs/$preset"
  python export.py --web --run="runs/$preset" --out="$page" --detail=none \
    --onnxruntime_web="${ONNXRUNTIME_WEB:-node_modules/onnxruntime-web}"
done
