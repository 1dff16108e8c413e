"""`python -m tf_psgan_serving.server`, the same as the command `psgan-server`."""

import sys

from tf_psgan_serving.server.command import main

if __name__ == "__main__":
    sys.exit(main())
