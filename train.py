"""Trains a texture model: python train.py --flagfile=flags/honeycomb.cfg"""

import sys

from tf_psgan.cli import train

if __name__ == "__main__":
    sys.exit(train.main(sys.argv))
