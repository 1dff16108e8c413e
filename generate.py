"""Makes pictures from a trained run: python generate.py --run=runs/honeycomb --out=honeycomb.png"""

import sys

from tf_psgan.cli import generate

if __name__ == "__main__":
    sys.exit(generate.main(sys.argv))
