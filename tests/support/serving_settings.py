"""The settings in serving/ as Python values, and the messages of TensorFlow Serving that its Python package omits."""

import re
from pathlib import Path

import yaml
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

SERVING = Path(__file__).resolve().parents[2] / "serving"
README = (SERVING / "README.md").read_text(encoding="utf-8")

# Fields and numbers of TensorFlow Serving's config/monitoring_config.proto, config/ssl_config.proto and
# servables/tensorflow/session_bundle_config.proto. tensorflow-serving-api 2.21 contains model_server_config only.
_MESSAGES = {
    "PrometheusConfig": [("enable", 1, "bool"), ("path", 2, "string")],
    "MonitoringConfig": [("prometheus_config", 1, "PrometheusConfig")],
    "SSLConfig": [
        ("server_key", 1, "string"),
        ("server_cert", 2, "string"),
        ("custom_ca", 3, "string"),
        ("client_verify", 4, "bool"),
    ],
    "Int64Value": [("value", 1, "int64")],
    "StringValue": [("value", 1, "string")],
    "BatchingParameters": [
        ("max_batch_size", 1, "Int64Value"),
        ("batch_timeout_micros", 2, "Int64Value"),
        ("max_enqueued_batches", 3, "Int64Value"),
        ("num_batch_threads", 4, "Int64Value"),
        ("thread_pool_name", 5, "StringValue"),
        ("allowed_batch_sizes", 6, "int64"),
        ("pad_variable_length_inputs", 7, "bool"),
    ],
}


def parsed(text, kind):
    """A message in text format; text_format.ParseError if a field is unknown or has a wrong value."""
    return text_format.Parse(text, ModelServerConfig() if kind == "ModelServerConfig" else _message(kind))


def file_of(name, kind):
    """A file of serving/ in protobuf text format."""
    return parsed((SERVING / name).read_text(encoding="utf-8"), kind)


def documents(name):
    """The YAML documents of a file of serving/."""
    return list(yaml.safe_load_all((SERVING / name).read_text(encoding="utf-8")))


def manifests():
    """The Kubernetes manifests by "Kind/name", those beside the kustomization included."""
    paths = sorted((SERVING / "kubernetes").glob("*.yaml"))
    names = [f"kubernetes/{path.name}" for path in paths if path.name != "kustomization.yaml"]
    found = [each for name in names for each in documents(name)]
    assert len(found) > 5
    return {f"{each['kind']}/{each['metadata']['name']}": each for each in found}


def compose():
    """The only service of the compose file."""
    return documents("compose.yaml")[0]["services"]["serving"]


def container():
    """The only container of the Deployment."""
    (only,) = manifests()["Deployment/tf-psgan"]["spec"]["template"]["spec"]["containers"]
    return only


def blocks(language):
    """The fenced blocks of the README in a language."""
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def flags(values):
    """Command line flags as a dictionary."""
    pairs = [value.removeprefix("--").split("=", 1) for value in values]
    assert all(value.startswith("--") for value in values)
    return {name: value for name, value in pairs}


def _message(kind):
    file = descriptor_pb2.FileDescriptorProto(name="settings.proto", package="settings", syntax="proto3")
    field_type = descriptor_pb2.FieldDescriptorProto
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, of in fields:
            label = field_type.LABEL_REPEATED if field == "allowed_batch_sizes" else field_type.LABEL_OPTIONAL
            made = message.field.add(name=field, number=number, label=label)
            if of in _MESSAGES:
                made.type, made.type_name = field_type.TYPE_MESSAGE, f".settings.{of}"
            else:
                made.type = getattr(field_type, f"TYPE_{of.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"settings.{kind}"))()
