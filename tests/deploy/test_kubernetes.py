"""The manifests: valid for the API of today's clusters, hardened, and in step with each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import kubernetes_validate
import pytest
import yaml

from api.settings import Settings
from deploy.local.stack import ROOT

FOLDER = ROOT / "deploy" / "kubernetes"
BASE = FOLDER / "base"
KUSTOMIZATION: dict[str, Any] = yaml.safe_load((BASE / "kustomization.yaml").read_text())
VERSIONS = ("1.31", kubernetes_validate.latest_version())


def manifests() -> Iterator[dict[str, Any]]:
    for name in KUSTOMIZATION["resources"]:
        yield from yaml.safe_load_all((BASE / name).read_text())


ALL = list(manifests())
SECRET: dict[str, Any] = yaml.safe_load((FOLDER / "secret.example.yaml").read_text())


def of(kind: str) -> dict[str, dict[str, Any]]:
    return {each["metadata"]["name"]: each for each in ALL if each["kind"] == kind}


def pods() -> Iterator[tuple[str, dict[str, Any]]]:
    for each in ALL:
        spec = each.get("spec", {})
        template = spec.get("template") or spec.get("jobTemplate", {}).get("spec", {}).get("template")
        if template:
            yield each["metadata"]["name"], template


PODS = dict(pods())
SETTINGS = of("ConfigMap")["settings"]["data"]


@pytest.mark.parametrize("version", VERSIONS)
def test_every_manifest_is_valid(version: str) -> None:
    for each in [*ALL, SECRET]:
        kubernetes_validate.validate(each, version, strict=True)


def test_every_file_is_part_of_the_base() -> None:
    assert {path.name for path in BASE.iterdir()} == {*KUSTOMIZATION["resources"], "kustomization.yaml"}


@pytest.mark.parametrize("name", sorted(PODS))
def test_a_pod_has_no_rights_and_limits(name: str) -> None:
    spec = PODS[name]["spec"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    for container in spec["containers"]:
        context = container["securityContext"]
        assert context["readOnlyRootFilesystem"] is True
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["requests"]
        assert container["resources"]["limits"]["memory"]
        mounted = {mount["name"] for mount in container["volumeMounts"]}
        assert mounted == {volume["name"] for volume in spec["volumes"]}
        assert container["image"] in {image["name"] for image in KUSTOMIZATION["images"]}


def test_everything_that_is_named_exists() -> None:
    claims, services = of("PersistentVolumeClaim"), of("Service")
    for template in PODS.values():
        for volume in template["spec"]["volumes"]:
            claim = volume.get("persistentVolumeClaim")
            assert claim is None or claim["claimName"] in claims
        assert template["spec"]["serviceAccountName"] in of("ServiceAccount")
    for rule in of("Ingress")["app"]["spec"]["rules"]:
        for path in rule["http"]["paths"]:
            assert path["backend"]["service"]["name"] in services
    workloads = {**of("Deployment"), **of("StatefulSet")}
    for scaler in of("HorizontalPodAutoscaler").values():
        target = scaler["spec"]["scaleTargetRef"]
        assert workloads[target["name"]]["kind"] == target["kind"]
        # Two would fight over the number.
        assert "replicas" not in workloads[target["name"]]["spec"]
    for name, each in {**workloads, **of("PodDisruptionBudget")}.items():
        labels = PODS[name]["metadata"]["labels"]
        assert each["spec"]["selector"]["matchLabels"].items() <= labels.items()


def test_what_is_inside_is_not_reached_from_outside() -> None:
    paths = of("Ingress")["app"]["spec"]["rules"][0]["http"]["paths"]
    hidden = {path["path"] for path in paths if path["backend"]["service"]["name"] == "nobody"}
    assert hidden == {"/internal", "/metrics", "/health/ready"}
    assert "nobody" not in PODS
    assert of("NetworkPolicy")["nobody-in"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress"]}


def test_probes_ask_what_the_processes_answer() -> None:
    app = PODS["app"]["spec"]["containers"][0]
    assert app["livenessProbe"]["httpGet"]["path"] == "/health/live"
    assert app["readinessProbe"]["httpGet"]["path"] == "/health/ready"
    worker = PODS["worker"]["spec"]["containers"][0]
    assert worker["livenessProbe"]["httpGet"]["path"] == "/health"
    assert [str(port["containerPort"]) for port in worker["ports"]] == [SETTINGS["WORKER_PORT"]]
    bot = PODS["bot"]["spec"]["containers"][0]
    assert bot["readinessProbe"]["httpGet"]["path"] == "/webhooks/gateway/health"


def test_settings_are_settings_and_secrets_are_not_among_them() -> None:
    fields = {name.upper() for name in Settings.model_fields}
    assert set(SETTINGS) <= fields
    assert all(isinstance(value, str) for value in SETTINGS.values())
    assert {name.upper() for name in SECRET["stringData"]} <= fields
    assert not {name.upper() for name in SECRET["stringData"]} & set(SETTINGS)


def test_every_bot_that_may_exist_is_known_to_the_app() -> None:
    largest = of("HorizontalPodAutoscaler")["bot"]["spec"]["maxReplicas"]
    assert SETTINGS["BOT_URL"].split(",") == [f"http://bot-{number}.bot:5022" for number in range(largest)]
    assert of("StatefulSet")["bot"]["spec"]["serviceName"] == "bot"
    assert of("Service")["bot"]["spec"]["clusterIP"] == "None"


def test_actions_have_pods_of_their_own() -> None:
    (container,) = PODS["actions"]["spec"]["containers"]
    assert container["command"] == ["python", "-m", "api.actions_process"]
    port = container["ports"][0]["containerPort"]
    assert SETTINGS["ACTIONS_PORT"] == str(port)
    assert SETTINGS["SERVE_ACTIONS"] == "false"
    assert SETTINGS["KNOWLEDGE_URL"] == f"http://actions:{port}/internal/knowledge"
    assert of("Service")["actions"]["spec"]["ports"][0]["port"] == port
    (bot,) = PODS["bot"]["spec"]["containers"]
    assert {"name": "ACTIONS_URL", "value": f"http://actions:{port}/internal/actions/webhook"} in bot["env"]
    ways_out = of("NetworkPolicy")["bot"]["spec"]["egress"][0]["to"][0]["podSelector"]["matchLabels"]
    assert ways_out.items() <= PODS["actions"]["metadata"]["labels"].items()


def test_receiving_has_its_place_first() -> None:
    assert PODS["app"]["spec"]["priorityClassName"] in of("PriorityClass")
    assert [name for name, pod in PODS.items() if "priorityClassName" in pod["spec"]] == ["app"]


def test_every_secret_setting_is_in_the_example() -> None:
    secret = {name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)}
    assert set(SECRET["stringData"]) == secret | {"database_url", "redis_url"}
