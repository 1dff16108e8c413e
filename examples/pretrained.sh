#!/usr/bin/env bash
# Makes the ready-made models anew from their presets: trains each, unless its run is complete, and writes its weights.
#   bash examples/pretrained.sh honeycomb setts
# Run it from the root of a checkout. honeycomb takes five minutes on two cores, setts fifteen, manifold and many an hour
# each. Runs are in runs/. The folder of a model that is there already is replaced.
set -euo pipefail
[ $# -gt 0 ] || set -- honeycomb manifold many setts
for preset in "$@"; do
  case "$preset" in
    setts) python -m tf_psgan.procedural --names=setts --out=runs/setts-pictures ;;
    many) python -m tf_psgan.procedural --variations=56 --out=runs/many-pictures ;;
  esac
  python train.py --preset="$preset" --run="runs/$preset"
  rm -rf "runs/weights/$preset"
  python export.py --weights --run="runs/$preset" --out="runs/weights/$preset" --detail=none --source_licence=CC0-1.0
  rm -rf "tf_psgan/pretrained/$preset"
  mv "runs/weights/$preset" "tf_psgan/pretrained/$preset"
done
