"""Compares a trained run, or any pictures, with their sources: python evaluate.py --run=runs/honeycomb"""

import sys

from tf_psgan.cli import evaluate

if __name__ == "__main__":
    sys.exit(evaluate.main(sys.argv))
