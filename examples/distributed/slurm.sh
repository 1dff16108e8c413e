#!/usr/bin/env bash
# One picture by an array of 16 Slurm jobs, and then the job that puts the parts together:
#
#   parts=$(sbatch --parsable --array=0-15 slurm.sh)
#   sbatch --dependency=afterok:$parts slurm.sh finish
#
# The folder of PICTURE is on a file system that all nodes share and that has file locks. A job that fails or is requeued
# makes only what is missing. --dtype=float32 gives the same pixels on processors of all kinds.
#SBATCH --job-name=wall
#SBATCH --cpus-per-task=8
#SBATCH --mem=8G
#SBATCH --time=04:00:00
#SBATCH --requeue
set -euo pipefail
picture=${PICTURE:-wall.zarr}
if [ "${1:-}" = finish ]; then
  exec psgan generate --out="$picture" --part=finish
fi
exec psgan generate --run="${RUN:-runs/honeycomb}" --out="$picture" --height=65536 --width=65536 --dtype=float32 \
  --part="$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT"
