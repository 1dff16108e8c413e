"""The viewer: an HTTP tile API and the web page over a server of exported models.

`psgan-viewer` is a gateway. Browsers, map clients and other programs ask it for pictures by address; it asks one
configured server over TensorFlow Serving's gRPC API. Requires `pip install 'tf_psgan[viewer]'`.
"""
