"""The settings for TensorFlow Serving are valid by the schemas of their formats, and agree with each other."""

import copy
import http.server
import re
import shutil
import subprocess
import sys
import threading
from importlib.metadata import version

import kubernetes_validate
import pytest
import tensorflow_serving.apis
import yaml
from google.protobuf import text_format

from tests.support.serving_settings import (
    README,
    SERVING,
    blocks,
    compose,
    container,
    documents,
    file_of,
    flags,
    manifests,
    parsed,
)

OLDEST = "1.30"
"""The first Kubernetes in which preStop's sleep needs no feature gate."""


@pytest.fixture(scope="module")
def model():
    """The only model of models.config."""
    (only,) = file_of("models.config", "ModelServerConfig").model_config_list.config
    return only


def test_the_model_is_where_every_server_mounts_it(model):
    assert (model.model_platform, model.model_version_policy.latest.num_versions) == ("tensorflow", 1)
    targets = {each["target"]: each for each in compose()["volumes"]}
    mounts = {each["mountPath"]: each for each in container()["volumeMounts"]}
    assert model.base_path == f"/models/{model.name}"
    for path in ("/models", "/config"):
        assert targets[path]["read_only"] and mounts[path]["readOnly"]
    assert (SERVING / targets["/config"]["source"]).resolve() == SERVING
    storage = documents("kserve/inferenceservice.yaml")[0]["spec"]["predictor"]["model"]["storageUri"]
    assert storage == f"pvc://{manifests()['PersistentVolumeClaim/tf-psgan-models']['metadata']['name']}/{model.name}"


@pytest.mark.parametrize("block", blocks("proto"))
def test_the_readmes_model_configs_are_valid_and_label_loaded_versions(block, model):
    (only,) = parsed(block, "ModelServerConfig").model_config_list.config
    assert (only.name, only.base_path, only.model_platform) == (model.name, model.base_path, model.model_platform)
    assert set(only.version_labels.values()) <= set(only.model_version_policy.specific.versions)


def test_the_readme_has_a_pinned_version_and_a_canary():
    assert sum("version_labels" in block for block in blocks("proto")) == 1
    assert len(blocks("proto")) == 2


def test_batches_are_of_allowed_sizes_and_never_padded():
    settings = file_of("batching.config", "BatchingParameters")
    sizes = list(settings.allowed_batch_sizes)
    assert sizes == sorted(set(sizes)) and sizes[-1] == settings.max_batch_size.value
    assert settings.num_batch_threads.value >= 1 and not settings.pad_variable_length_inputs
    for given in (compose()["command"], container()["args"]):
        assert not any("batching" in flag for flag in flags(given))


def test_the_tls_example_has_every_field():
    settings = file_of("ssl.config.example", "SSLConfig")
    for text, name in ((settings.server_key, "PRIVATE KEY"), (settings.server_cert, "CERTIFICATE"),
                       (settings.custom_ca, "CERTIFICATE")):  # fmt: skip
        lines = text.splitlines()
        assert (lines[0], lines[-1]) == (f"-----BEGIN {name}-----", f"-----END {name}-----")
    assert settings.client_verify


def test_the_readmes_command_writes_tls_settings(tmp_path):
    (tmp_path / "serving").mkdir()
    pem = {name: f"-----BEGIN {name}-----\nAa+/=\n-----END {name}-----\n" for name in ("key", "cert", "ca")}
    for name, text in pem.items():
        (tmp_path / f"{name}.pem").write_text(text)
    (command,) = (block for block in blocks("sh") if "ssl.config" in block)
    subprocess.run(["bash", "-c", command], cwd=tmp_path, check=True)
    settings = parsed((tmp_path / "serving" / "ssl.config").read_text(), "SSLConfig")
    assert (settings.server_key, settings.server_cert, settings.custom_ca) == (pem["key"], pem["cert"], pem["ca"])
    assert settings.client_verify


@pytest.mark.parametrize("kind", ["ModelServerConfig", "MonitoringConfig", "SSLConfig", "BatchingParameters"])
def test_an_unknown_setting_is_an_error(kind):
    with pytest.raises(text_format.ParseError, match="no_such_setting"):
        parsed("no_such_setting: 1", kind)


def test_the_compose_file_is_valid(tmp_path):
    assert check_compose(SERVING / "compose.yaml").returncode == 0
    wrong = tmp_path / "compose.yaml"
    wrong.write_text((SERVING / "compose.yaml").read_text().replace("read_only: true", "readonly: true"))
    assert check_compose(wrong).returncode != 0


def test_docker_accepts_the_compose_file():
    if not shutil.which("docker") or subprocess.run(["docker", "compose", "version"], capture_output=True).returncode:
        pytest.skip("Docker Compose is not installed")
    done = subprocess.run(["docker", "compose", "--file", SERVING / "compose.yaml", "config", "--quiet"])
    assert done.returncode == 0


@pytest.mark.parametrize("release", [OLDEST, kubernetes_validate.latest_version()])
def test_the_manifests_are_valid(release):
    for manifest in manifests().values():
        kubernetes_validate.validate(manifest, release, strict=True)


def test_a_wrong_manifest_is_an_error():
    wrong = copy.deepcopy(manifests()["Deployment/tf-psgan"])
    wrong["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="readynessProbe"):
        kubernetes_validate.validate(wrong, OLDEST, strict=True)


def test_the_kustomization_has_all_manifests_but_the_loader():
    (kustomization,) = documents("kubernetes/kustomization.yaml")
    there = {path.name for path in (SERVING / "kubernetes").glob("*.yaml")}
    assert set(kustomization["resources"]) == there - {"kustomization.yaml", "loader.yaml"}
    if not shutil.which("kubectl"):
        return
    built = subprocess.run(["kubectl", "kustomize", SERVING / "kubernetes"], capture_output=True, check=True).stdout
    found = {f"{each['kind']}/{each['metadata']['name']}": each for each in yaml.safe_load_all(built)}
    assert found == {name: each for name, each in manifests().items() if name != "Pod/tf-psgan-loader"}


def test_the_inference_service_is_valid():
    """KServe's own fields by hand; the schema checks all others, which are fields of a pod and a container."""
    (service,) = documents("kserve/inferenceservice.yaml")
    assert (service["apiVersion"], service["kind"]) == ("serving.kserve.io/v1beta1", "InferenceService")
    assert set(service) == {"apiVersion", "kind", "metadata", "spec"} and set(service["spec"]) == {"predictor"}
    predictor = copy.deepcopy(service["spec"]["predictor"])
    model = predictor.pop("model")
    assert 1 <= predictor.pop("minReplicas") <= predictor.pop("maxReplicas")
    assert (predictor.pop("scaleMetric"), predictor.pop("scaleTarget")) == ("cpu", 70)
    assert isinstance(predictor.pop("timeout"), int)
    assert model.pop("modelFormat") == {"name": "tensorflow"}
    assert (model.pop("protocolVersion"), model.pop("runtimeVersion")) == ("v1", image()[1])
    assert model.pop("storageUri").startswith("pvc://")
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": service["metadata"]}
    pod["spec"] = {**predictor, "containers": [{"name": "kserve-container", **model}]}
    kubernetes_validate.validate(pod, OLDEST, strict=True)


def test_all_deployments_start_the_server_with_the_same_flags():
    expected = flags(compose()["command"])
    assert flags(container()["args"]) == expected
    assert compose()["entrypoint"] == container()["command"] == ["/usr/bin/tensorflow_model_server"]
    kserve = flags(documents("kserve/inferenceservice.yaml")[0]["spec"]["predictor"]["model"]["args"])
    own = {name: value for name, value in expected.items() if "port" not in name and "config" not in name}
    assert kserve == {name: value for name, value in own.items() if "labels" not in name}
    for text in (README, (SERVING / "smoke.sh").read_text()):
        given = dict(re.findall(r"--(\w+_\w+|port)=([\w/.]+)", text))
        assert {name: given[name] for name in given.keys() & expected.keys()}.items() <= expected.items()
        assert "enable_serialization_as_tensor_content" in given


def test_all_deployments_use_the_image_of_the_installed_api_version():
    name, release = image()
    assert (name, container()["image"]) == ("tensorflow/serving", f"{name}:{release}")
    assert tensorflow_serving.apis and release.split(".")[:2] == version("tensorflow-serving-api").split(".")[:2]
    for text in (README, (SERVING / "smoke.sh").read_text()):
        assert set(re.findall(r"tensorflow/serving:([\d.]+\d)", text)) == {release}


def test_the_ports_agree():
    grpc, rest = (flags(compose()["command"])[name] for name in ("port", "rest_api_port"))
    assert compose()["ports"] == [f"127.0.0.1:{port}:{port}" for port in (grpc, rest)]
    named = {"grpc": int(grpc), "http": int(rest)}
    assert {each["name"]: each["containerPort"] for each in container()["ports"]} == named
    for name in ("Service/tf-psgan", "Service/tf-psgan-pods"):
        for port in manifests()[name]["spec"]["ports"]:
            assert port["port"] == named[port["targetPort"]]
    probes = [container()[name] for name in ("startupProbe", "readinessProbe", "livenessProbe")]
    assert [(each.get("tcpSocket") or each["httpGet"])["port"] for each in probes] == ["grpc", "http", "grpc"]


def test_prometheus_scrapes_the_path_of_the_metrics():
    metrics = file_of("monitoring.config", "MonitoringConfig").prometheus_config
    notes = manifests()["Deployment/tf-psgan"]["spec"]["template"]["metadata"]["annotations"]
    assert metrics.enable and notes["prometheus.io/scrape"] == "true"
    assert notes["prometheus.io/path"] == metrics.path
    assert notes["prometheus.io/port"] == flags(compose()["command"])["rest_api_port"]
    (scrape,) = yaml.safe_load(blocks("yaml")[0])["scrape_configs"]
    assert scrape["metrics_path"] == metrics.path and scrape["static_configs"][0]["targets"] == ["localhost:8501"]


def test_the_threads_follow_from_the_cpu_limit():
    limits = compose()["deploy"]["resources"]["limits"], container()["resources"]["limits"]
    given = flags(compose()["command"])
    for limit in (each.get("cpu") or each["cpus"] for each in limits):
        assert given["tensorflow_inter_op_parallelism"] == limit
        assert int(given["tensorflow_intra_op_parallelism"]) == int(limit) // 2  # the graph of a chunk has two chains
        assert int(given["grpc_max_threads"]) == int(given["rest_api_num_threads"]) == 4 * int(limit)
    assert container()["resources"]["requests"]["cpu"] == container()["resources"]["limits"]["cpu"]


def test_the_config_map_contains_the_files():
    data = manifests()["ConfigMap/tf-psgan"]["data"]
    assert data == {name: (SERVING / name).read_text() for name in ("models.config", "monitoring.config")}


def test_the_manifests_refer_to_each_other():
    all_of = manifests()
    pods = all_of["Deployment/tf-psgan"]["spec"]["template"]
    label = pods["metadata"]["labels"]
    selectors = [all_of[name]["spec"]["selector"] for name in ("Service/tf-psgan", "Service/tf-psgan-pods")]
    selectors += [all_of[name]["spec"]["selector"]["matchLabels"]
                  for name in ("Deployment/tf-psgan", "PodDisruptionBudget/tf-psgan")]  # fmt: skip
    selectors += [each["labelSelector"]["matchLabels"] for each in pods["spec"]["topologySpreadConstraints"]]
    assert selectors == [label] * 5
    scaled = all_of["HorizontalPodAutoscaler/tf-psgan"]["spec"]["scaleTargetRef"]
    assert scaled == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "tf-psgan"}
    assert "replicas" not in all_of["Deployment/tf-psgan"]["spec"]
    volumes = {each["name"]: each for each in pods["spec"]["volumes"]}
    assert set(volumes) == {each["name"] for each in container()["volumeMounts"]}
    assert f"ConfigMap/{volumes['config']['configMap']['name']}" in all_of
    for pod in (pods, all_of["Pod/tf-psgan-loader"]):
        (claim,) = (each["persistentVolumeClaim"] for each in pod["spec"]["volumes"] if each["name"] == "models")
        assert f"PersistentVolumeClaim/{claim['claimName']}" in all_of


def pods():
    """Every pod as (its specification, its containers): the Deployment's, the loader's and KServe's."""
    found = [manifests()["Deployment/tf-psgan"]["spec"]["template"]["spec"], manifests()["Pod/tf-psgan-loader"]["spec"]]
    predictor = documents("kserve/inferenceservice.yaml")[0]["spec"]["predictor"]
    return [(pod, pod["containers"]) for pod in found] + [(predictor, [predictor["model"]])]


def test_nothing_runs_as_root_or_as_a_user_of_the_node_or_writes_to_its_image():
    service = compose()
    assert service["user"] == "10001:10001" and service["read_only"] and service["cap_drop"] == ["ALL"]
    for pod, containers in pods():
        assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] > 10000
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not pod["automountServiceAccountToken"]
        for each in containers:
            assert each["securityContext"] == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                                               "capabilities": {"drop": ["ALL"]}}  # fmt: skip


def test_every_container_has_limits_for_processor_memory_and_ephemeral_storage():
    for _, containers in pods():
        for each in containers:
            assert set(each["resources"]["limits"]) == {"cpu", "memory", "ephemeral-storage"}


def test_the_network_policy_selects_the_pods_and_lets_nobody_else_reach_the_call_that_reloads_models():
    policy, all_of = manifests()["NetworkPolicy/tf-psgan"]["spec"], manifests()
    label = all_of["Deployment/tf-psgan"]["spec"]["template"]["metadata"]["labels"]
    assert policy["podSelector"]["matchLabels"] == label
    assert sorted(policy["policyTypes"]) == ["Egress", "Ingress"] and policy["egress"] == []
    grpc = [rule for rule in policy["ingress"] if any(port["port"] == "grpc" for port in rule["ports"])]
    assert [rule["from"] for rule in grpc] == [[{"podSelector": {"matchLabels": {"tf-psgan-client": "true"}}}]]
    named = {each["name"] for each in container()["ports"]}
    assert all(rule["from"] and {port["port"] for port in rule["ports"]} <= named for rule in policy["ingress"])
    assert "HandleReloadConfigRequest" in README


@pytest.mark.parametrize("code, healthy", [(200, True), (404, False), (503, False)])
def test_a_container_is_healthy_while_a_version_is_loaded(code, healthy, model):
    paths = []

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            paths.append(self.path)
            self.send_response(code)
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        kind, *command = compose()["healthcheck"]["test"]
        command = [each.replace("8501", str(server.server_port)).replace("$$", "$") for each in command]
        done = subprocess.run(command, timeout=300)
        server.shutdown()
    assert kind == "CMD" and (done.returncode == 0) == healthy
    assert paths == [container()["readinessProbe"]["httpGet"]["path"]] == [f"/v1/models/{model.name}/metadata"]


def test_a_terminating_pod_has_time_to_finish_its_requests():
    pod = manifests()["Deployment/tf-psgan"]["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] > container()["lifecycle"]["preStop"]["sleep"]["seconds"] >= 30
    assert compose()["stop_grace_period"] == f"{pod['terminationGracePeriodSeconds']}s"


def image():
    """Name and version of the image."""
    return compose()["image"].split(":")


def check_compose(path):
    """Runs check-jsonschema with its copy of the Compose specification's schema."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", path]
    return subprocess.run(command, capture_output=True)
