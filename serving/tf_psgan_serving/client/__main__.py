"""`python -m tf_psgan_serving.client`, the same as the command `psgan-client`."""

import sys

from tf_psgan_serving.client.command import main

if __name__ == "__main__":
    sys.exit(main())
