"""TLS from the file that TensorFlow Serving takes as --ssl_config_file: an SSLConfig message as text.

The package of its stubs leaves this one message out, so it is declared here by TensorFlow
Serving's numbers (tensorflow_serving/config/ssl_config.proto).
"""

import functools
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format

# By number from 1, and whether they hold text.
_FIELDS = {"server_key": True, "server_cert": True, "custom_ca": True, "client_verify": False}


def credentials(path: Path) -> Any:
    """gRPC's server credentials from a file.

    Args:
      path: text with server_key and server_cert (PEM), and for clients' certificates custom_ca (PEM) and
        client_verify: true.

    Raises:
      ValueError: the file is no such text, or something that belongs together is missing.
      OSError: it cannot be read.
    """
    try:
        config = text_format.Parse(path.read_text(encoding="utf-8"), _message_class()())
    except (text_format.ParseError, UnicodeDecodeError) as error:
        # Its own words may quote the private key.
        line = getattr(error, "GetLine", lambda: None)()
        where = f", line {line}" if line else ""
        raise ValueError(f"{path}: no SSLConfig as text{where}; see serving/ssl.config.example.") from None
    for name in ("server_key", "server_cert"):
        if "-----BEGIN" not in getattr(config, name):
            raise ValueError(f"{path}: {name} holds no PEM text; put the text itself there, not a file's name.")
    if config.client_verify and "-----BEGIN" not in config.custom_ca:
        raise ValueError(f"{path}: client_verify needs custom_ca, the authority of the clients, as PEM text.")
    return grpc.ssl_server_credentials(
        [(config.server_key.encode(), config.server_cert.encode())],
        root_certificates=config.custom_ca.encode() or None,
        require_client_auth=config.client_verify,
    )


@functools.cache
def _message_class() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="ssl_config.proto", package="tensorflow.serving", syntax="proto3")
    message = file.message_type.add(name="SSLConfig")
    kind = descriptor_pb2.FieldDescriptorProto
    for number, (name, text) in enumerate(_FIELDS.items(), 1):
        held = kind.TYPE_STRING if text else kind.TYPE_BOOL
        message.field.add(name=name, number=number, type=held, label=kind.LABEL_OPTIONAL)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("tensorflow.serving.SSLConfig"))
