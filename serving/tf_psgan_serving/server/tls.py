"""TLS from the file that TensorFlow Serving takes as --ssl_config_file: an SSLConfig message in text format.

tensorflow-serving-api does not contain this message, so it is declared here with the field numbers of
tensorflow_serving/config/ssl_config.proto.
"""

import functools
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format

# Fields in the order of their numbers from 1, and whether they are strings.
_FIELDS = {"server_key": True, "server_cert": True, "custom_ca": True, "client_verify": False}


def credentials(path: Path) -> Any:
    """gRPC's server credentials from a file.

    Args:
      path: text format with server_key and server_cert (PEM), and for mutual TLS custom_ca (PEM) and
        client_verify: true.

    Raises:
      ValueError: the file is not an SSLConfig, or a field is missing.
      OSError: the file cannot be read.
    """
    try:
        config = text_format.Parse(path.read_text(encoding="utf-8"), _message_class()())
    except (text_format.ParseError, UnicodeDecodeError) as error:
        # The parser's own message may quote the private key.
        line = getattr(error, "GetLine", lambda: None)()
        position = f", line {line}" if line else ""
        raise ValueError(
            f"{path}: not an SSLConfig in text format{position}; see serving/ssl.config.example."
        ) from None
    for name in ("server_key", "server_cert"):
        if "-----BEGIN" not in getattr(config, name):
            raise ValueError(f"{path}: {name} is not PEM text; paste the text itself, not the name of a file.")
    if config.client_verify and "-----BEGIN" not in config.custom_ca:
        raise ValueError(f"{path}: client_verify requires custom_ca, the clients' certificate authority as PEM text.")
    return grpc.ssl_server_credentials(
        [(config.server_key.encode(), config.server_cert.encode())],
        root_certificates=config.custom_ca.encode() or None,
        require_client_auth=config.client_verify,
    )


@functools.cache
def _message_class() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="ssl_config.proto", package="tensorflow.serving", syntax="proto3")
    message = file.message_type.add(name="SSLConfig")
    field_types = descriptor_pb2.FieldDescriptorProto
    for number, (name, is_text) in enumerate(_FIELDS.items(), 1):
        kind = field_types.TYPE_STRING if is_text else field_types.TYPE_BOOL
        message.field.add(name=name, number=number, type=kind, label=field_types.LABEL_OPTIONAL)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("tensorflow.serving.SSLConfig"))
