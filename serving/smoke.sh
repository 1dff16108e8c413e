#!/usr/bin/env bash
# Serves an export with TensorFlow Serving in Docker, requests a picture over REST, and removes the container:
#   bash serving/smoke.sh models/honeycomb [smoke.png]
# Requires docker, curl and python3 (its standard library only). IMAGE names another image of the server.
set -euo pipefail

if [ $# -lt 1 ] || [ $# -gt 2 ]; then
  echo "smoke.sh: ${#} arguments; give the folder of a model and optionally the name of the picture." >&2
  exit 2
fi
for tool in docker curl python3; do
  if ! command -v "$tool" >/dev/null; then
    echo "smoke.sh: $tool is missing; install it, or use psgan-server, which does not need it." >&2
    exit 2
  fi
done
if ! folder=$(cd "$1" 2>/dev/null && pwd); then
  echo "$1: not a folder; give one that psgan export wrote to." >&2
  exit 2
fi
picture=${2:-smoke.png}
model=$(basename "$folder")
settings=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
responses=$(mktemp -d)
container=
# As process 1 of a container the server ignores SIGTERM, so the container is removed by force.
trap 'rm -rf "$responses"; [ -z "$container" ] || docker rm --force "$container" >/dev/null' EXIT

container=$(docker run --detach --platform linux/amd64 --publish 127.0.0.1::8501 \
  --user 10001:10001 --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges:true \
  --volume "$folder:/models/$model:ro" --volume "$settings:/config:ro" \
  --entrypoint /usr/bin/tensorflow_model_server "${IMAGE:-tensorflow/serving:2.21.0}" \
  --port=8500 --rest_api_port=8501 "--model_name=$model" "--model_base_path=/models/$model" \
  --monitoring_config_file=/config/monitoring.config --enable_serialization_as_tensor_content=true)
server=http://$(docker port "$container" 8501/tcp | head -n 1)
url=$server/v1/models/$model

# request NAME CODE URL [BODY]: stores the response as NAME, and ends the script if the HTTP code differs from CODE.
request() {
  local code
  code=$(curl --silent --show-error --max-time 60 --output "$responses/$1" --write-out '%{http_code}' \
    ${4:+--data "$4"} "$3") || code=none
  if [ "$code" != "$2" ]; then
    echo "$3: HTTP code $code instead of $2: $(head -c 500 "$responses/$1" 2>/dev/null)" >&2
    exit 1
  fi
}

# body HEIGHT: scalars require the column format, `inputs`; the row format, `instances`, would give each a dimension.
body() {
  printf '{"signature_name": "window_png", "inputs": %s}' \
    "{\"seed\": 1, \"texture\": 0, \"top\": -100, \"left\": 1000000000, \"height\": $1, \"width\": 384}"
}

waited=0
until curl --silent --fail --max-time 5 --output /dev/null "$url/metadata"; do
  waited=$((waited + 1))
  if [ "$waited" -gt 120 ] || [ -z "$(docker ps --quiet --no-trunc --filter "id=$container")" ]; then
    echo "$model: not loaded after $waited seconds; the server's last lines:" >&2
    docker logs --tail 20 "$container" >&2
    exit 1
  fi
  sleep 1
done

request status 200 "$url"
request metadata 200 "$url/metadata"
request window 200 "$url:predict" "$(body 512)"
request rejected 400 "$url:predict" "$(body 0)"
request metrics 200 "$server/monitoring/prometheus/metrics"

python3 - "$responses" "$picture" <<'END'
import base64, json, pathlib, struct, sys

responses, picture = map(pathlib.Path, sys.argv[1:])
versions = json.loads((responses / "status").read_text())["model_version_status"]
print("versions:", ", ".join(f"{each['version']} {each['state']}" for each in versions))
signatures = json.loads((responses / "metadata").read_text())["metadata"]["signature_def"]["signature_def"]
print("signatures:", ", ".join(sorted(name for name in signatures if not name.startswith("__"))))
print("a height of 0 is rejected:", " ".join(json.loads((responses / "rejected").read_text())["error"].split())[:200])
if ":tensorflow:serving:request_count" not in (responses / "metrics").read_text():
    sys.exit("metrics: no :tensorflow:serving:request_count; check monitoring.config.")
png = base64.b64decode(json.loads((responses / "window").read_text())["outputs"]["b64"], validate=True)
width, height = struct.unpack(">II", png[16:24])
if not png.startswith(b"\x89PNG\r\n\x1a\n") or (height, width) != (512, 384):
    sys.exit(f"window_png: {len(png)} bytes that are not a PNG of 512x384 pixels.")
picture.write_bytes(png)
print(f"{picture}: {height}x{width} pixels, {len(png)} bytes")
END
