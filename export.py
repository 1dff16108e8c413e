"""Exports a trained run as a SavedModel: python export.py --run=runs/honeycomb --out=models/honeycomb"""

import sys

from tf_psgan.cli import export

if __name__ == "__main__":
    sys.exit(export.main(sys.argv))
