"""`python -m tf_psgan_serving.viewer`, the same as the command `psgan-viewer`."""

import sys

from tf_psgan_serving.viewer.command import main

if __name__ == "__main__":
    sys.exit(main())
