"""Pictures from a server of exported models, over TensorFlow Serving's gRPC API, without TensorFlow.

    with Client("localhost:8500", "honeycomb") as client:
        picture = client.window(512, 512, top=-100, left=10**9, seed=1)
        large = client.large(Window(height=16384, width=16384, seed=1))

`AsyncClient` has the same methods under asyncio.
"""

import lazy_loader

# Lazy, so that the command can set gRPC's environment variables before gRPC is loaded.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
