#!/usr/bin/env bash
# Makes the ready-made models anew from their presets: trains each, unless its run is complete, and writes its weights.
#   bash examples/pretrained.sh honeycomb manifold
# Run it from the root of a checkout. honeycomb takes five minutes on two cores, manifold an hour. Runs are in runs/. The
# folder of a model that is there already is replaced.
set -euo pipefail
[ $# -gt 0 ] || set -- honeycomb manifold
for preset in "$@"; do
  python train.py --preset="$preset" --run="runs/$preset"
  rm -rf "runs/$preset-weights"
  python export.py --weights --run="runs/$preset" --out="runs/$preset-weights" --detail=none --source_licence=CC0-1.0
  rm -rf "tf_psgan/pretrained/$preset"
  mv "runs/$preset-weights" "tf_psgan/pretrained/$preset"
done
