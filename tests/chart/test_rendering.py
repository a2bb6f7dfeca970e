"""What helm makes of the chart: valid for Kubernetes, hardened, and what the program itself accepts."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from consensus.cli.config import app as config_command
from consensus.kafka.connect import instance_id
from consensus.settings import load
from consensus.settings.rules import references
from tests.chart.chart import (
    EXAMPLES,
    HELM,
    RELEASE,
    Refused,
    at,
    container,
    helm,
    merge,
    of_kind,
    pods,
    render,
    template,
    values,
)
from tests.chart.test_values_schema import WRONG
from tests.chart.tools import VERSIONS, Tools

PROCESSES = ("worker", "gateway", "calibrator")
EVERY = [None, *EXAMPLES]
SECRET = "sk-never-rendered"


@pytest.mark.parametrize("example", EVERY)
def test_helm_lints_strictly(tools: Tools, example: str | None) -> None:
    files = [] if example is None else [f"--values={HELM / 'ci' / example}"]
    said = helm(tools, "lint", "--strict", str(HELM), *files)
    assert "1 chart(s) linted, 0 chart(s) failed" in said


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_knows_every_key_that_is_rendered(tools: Tools, version: str) -> None:
    rendered = "---\n".join(template(tools, values(example)) for example in EVERY)
    assert _conform(tools, rendered, version) == ""


def test_the_check_itself_finds_a_fault(tools: Tools) -> None:
    rendered = template(tools, values("everything-values.yaml"))
    assert "automount" in _conform(tools, rendered.replace("automountServiceAccountToken", "automount"), VERSIONS[-1])
    assert "intervall" in _conform(tools, rendered.replace("interval: 15s", "intervall: 15s"), VERSIONS[-1])


def _conform(tools: Tools, rendered: str, version: str) -> str:
    """What kubeconform has against the resources; empty: nothing."""
    schemas = f"{tools.schemas / version}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"
    command = [str(tools.kubeconform), "-strict", "-kubernetes-version", version, "-schema-location", schemas, "-"]
    done = subprocess.run(command, input=rendered, capture_output=True, text=True, timeout=100, check=False)
    return done.stdout + done.stderr


@pytest.mark.parametrize(("path", "value", "key"), WRONG[:7:2])
def test_helm_refuses_wrong_values_by_name(tools: Tools, path: str, value: Any, key: str) -> None:
    """A few of what the test of the schema covers: helm reads the same schema as that test."""
    with pytest.raises(Refused, match=key):
        render(tools, values("minimal-values.yaml", **at(path, value)))


@pytest.mark.parametrize("example", EVERY)
def test_the_program_accepts_the_rendered_configuration(
    tools: Tools, tmp_path: Path, example: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``consensus config check`` says yes, where the variables are those that the chart sets in the worker."""
    resources = render(tools, values(example))
    file = _configuration(resources, tmp_path)
    for entry in container(pods(resources)[_name(resources, "worker")])["env"]:
        monkeypatch.setenv(entry["name"], entry.get("value", "pod-0"))
    result = CliRunner().invoke(config_command, ["check", "--config", str(file)])
    assert result.exit_code == 0, result.stdout


def _configuration(resources: list[dict[str, Any]], folder: Path) -> Path:
    """The rendered configuration as a file; the jobs have the same one."""
    first, second = [resource["data"] for resource in resources if resource["kind"] == "ConfigMap"]
    assert first == second
    file = folder / "consensus.yaml"
    file.write_text(first["consensus.yaml"], "utf-8")
    return file


def _name(resources: list[dict[str, Any]], process: str) -> str:
    return next(name for name in of_kind(resources, "StatefulSet") if name.endswith(process))


def test_large_numbers_survive_helm(tools: Tools, tmp_path: Path) -> None:
    """helm reads every number as a float, and would print a million as 1e+06."""
    resources = render(tools, values(**at("config.kafka.max_record_bytes", 123_456_789)))
    assert load(str(_configuration(resources, tmp_path)), {}).kafka.max_record_bytes == 123_456_789


@pytest.mark.parametrize("example", EVERY)
def test_the_grace_is_the_drain_and_the_margin(tools: Tools, example: str | None) -> None:
    wanted = values(example)
    resources = render(tools, wanted)
    drain = -(-wanted["config"]["kafka"]["drain_seconds"] // 1)
    stop = -(-wanted["config"]["grpc"]["stop_grace_s"] // 1)
    margin = wanted["terminationMarginSeconds"]
    graces = {
        process: pods(resources)[_name(resources, process)]["terminationGracePeriodSeconds"] for process in PROCESSES
    }
    assert graces == {
        "worker": drain + margin,
        "calibrator": drain + margin,
        "gateway": max(drain, stop) + wanted["gateway"]["preStopSeconds"] + margin,
    }


def test_one_number_moves_the_program_and_the_platform(tools: Tools, tmp_path: Path) -> None:
    resources = render(tools, values(**at("config.kafka.drain_seconds", 61.2)))
    assert load(str(_configuration(resources, tmp_path)), {}).kafka.drain_seconds == 61.2
    assert pods(resources)["worker"]["terminationGracePeriodSeconds"] == 62 + 30


@pytest.mark.parametrize("example", EVERY)
def test_every_pod_is_hardened(tools: Tools, example: str | None) -> None:
    for pod in pods(render(tools, values(example))).values():
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] >= 10_000
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        only = container(pod)
        assert only["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert only["resources"]["requests"].keys() >= {"cpu", "memory"}
        assert "memory" in only["resources"]["limits"]
        (tmp,) = [mount["name"] for mount in only["volumeMounts"] if mount["mountPath"] == "/tmp"]
        assert [volume["emptyDir"] for volume in pod["volumes"] if volume["name"] == tmp] == [{"sizeLimit": "256Mi"}]


def test_members_of_a_group_have_names_of_their_own_that_last(tools: Tools, tmp_path: Path) -> None:
    """Pods of a StatefulSet keep their names, and no two of a namespace share one."""
    resources = render(tools, values("minimal-values.yaml"))
    sets = of_kind(resources, "StatefulSet")
    assert sets.keys() == set(PROCESSES)
    for process in sets:
        entries = {entry["name"]: entry for entry in container(pods(resources)[process])["env"]}
        assert entries["CONSENSUS__KAFKA__INSTANCE_ID"]["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}
    file = str(_configuration(resources, tmp_path))
    pod = f"{RELEASE}-consensus-worker-2"
    settings = load(file, {"CONSENSUS__KAFKA__INSTANCE_ID": pod})
    assert instance_id(settings.kafka, "worker") == pod


def test_probes_ask_where_the_program_listens(tools: Tools) -> None:
    resources = render(tools, values(**at("config.telemetry.listen", "0.0.0.0:9999")))
    for process in PROCESSES:
        only = container(pods(resources)[process])
        assert {"name": "metrics", "containerPort": 9999} in only["ports"]
        assert only["livenessProbe"]["httpGet"] == {"path": "/livez", "port": "metrics"}
        assert only["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "metrics"}


def test_each_process_gets_the_secrets_that_it_reads_and_no_others(tools: Tools, tmp_path: Path) -> None:
    resources = render(tools, values("production-values.yaml"))
    shared = {"KAFKA_PASSWORD", "CONSENSUS_STORE_URL", "SENTRY_DSN"}
    models = {"OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "MISTRAL_API_KEY"}
    found = {name: _secret_variables(pod) for name, pod in pods(resources).items()}
    assert found == {
        "worker": shared | models,
        "gateway": shared,
        "calibrator": shared,
        "migrations": {"CONSENSUS_STORE_URL"},
        "topics": {"KAFKA_PASSWORD"},
    }
    referred = {variable for _, variable in references(load(str(_configuration(resources, tmp_path)), {}))}
    assert found["worker"] == referred


def _secret_variables(pod: dict[str, Any]) -> set[str]:
    entries = container(pod)["env"]
    return {entry["name"] for entry in entries if "secretKeyRef" in entry.get("valueFrom", {})}


def test_a_variable_that_two_models_share_is_set_once(tools: Tools) -> None:
    resources = render(tools, values("everything-values.yaml"))
    names = [entry["name"] for entry in container(pods(resources)["panel-of-models-worker"])["env"]]
    assert len(names) == len(set(names))
    assert names.count("GATEWAY_KEY") == 1


def test_no_secret_is_rendered(tools: Tools) -> None:
    """Nothing makes a Secret, and a value in the place of a reference is refused without a resource being printed."""
    for example in EVERY:
        assert of_kind(render(tools, values(example)), "Secret") == {}
    wrong = values("minimal-values.yaml", **at("secrets.OPENAI_API_KEY.value", SECRET))
    with pytest.raises(Refused) as refusal:
        render(tools, wrong)
    assert SECRET not in str(refusal.value)


def test_a_reference_without_a_secret_is_refused(tools: Tools) -> None:
    wrong = values("minimal-values.yaml", **at("config.store.url_env", "STORE_URL"))
    with pytest.raises(Refused, match=r"config.store.url_env refers to the variable STORE_URL: add secrets.STORE_URL"):
        render(tools, wrong)


def test_a_secret_that_nothing_reads_is_refused(tools: Tools) -> None:
    wrong = values("minimal-values.yaml", **at("secrets.OPENAI_KEY", {"name": "providers", "key": "openai"}))
    with pytest.raises(Refused, match=r"secrets.OPENAI_KEY: no key of config refers to this variable"):
        render(tools, wrong)


def test_the_store_is_migrated_before_the_topics_and_both_before_the_rest(tools: Tools) -> None:
    resources = render(tools, values("minimal-values.yaml"))
    jobs = of_kind(resources, "Job")
    weights = {name: int(job["metadata"]["annotations"]["helm.sh/hook-weight"]) for name, job in jobs.items()}
    configuration = of_kind(resources, "ConfigMap")["jobs"]["metadata"]["annotations"]
    assert int(configuration["helm.sh/hook-weight"]) < weights["migrations"] < weights["topics"]
    for given in (configuration, *(job["metadata"]["annotations"] for job in jobs.values())):
        assert given["helm.sh/hook"] == "pre-install,pre-upgrade"
    assert container(pods(resources)["migrations"])["args"] == ["store", "migrate"]
    assert container(pods(resources)["topics"])["args"] == ["topics"]


def test_what_is_optional_is_off(tools: Tools) -> None:
    changes: dict[str, Any] = {"jobs": {"migrations": False, "topics": False}, "serviceAccount": {"create": False}}
    changes |= {process: {"podDisruptionBudget": {"enabled": False}} for process in PROCESSES}
    kinds = {resource["kind"] for resource in render(tools, merge(values(), changes))}
    assert kinds == {"ConfigMap", "Service", "StatefulSet"}


def test_a_change_of_configuration_replaces_the_pods(tools: Tools) -> None:
    def checksum(**changes: Any) -> str:
        made = of_kind(render(tools, merge(values(), changes)), "StatefulSet")["worker"]
        found: str = made["spec"]["template"]["metadata"]["annotations"]["checksum/config"]
        return found

    assert checksum(**at("config.kafka.in_flight", 7)) != checksum()


def test_a_restricted_network_lets_clients_reach_the_gateway_alone(tools: Tools) -> None:
    policies = of_kind(render(tools, values("production-values.yaml")), "NetworkPolicy")
    assert policies.keys() == set(PROCESSES)
    ports = {
        name: [rule["ports"][0]["port"] for rule in policy["spec"]["ingress"]] for name, policy in policies.items()
    }
    assert ports == {"worker": ["metrics"], "calibrator": ["metrics"], "gateway": ["metrics", "grpc"]}
    clients = policies["gateway"]["spec"]["ingress"][1]["from"]
    assert clients == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "claims"}}}]


def test_the_longest_names_still_fit(tools: Tools) -> None:
    """A pod's name and the hash of its revision stand in labels of at most 63 characters."""
    resources = list(yaml.safe_load_all(helm(tools, "template", "r" * 53, str(HELM))))
    names = [resource["metadata"]["name"] for resource in resources if resource]
    assert max(map(len, names)) <= 63
    assert all(
        len(name) <= 52
        for resource in resources
        if resource["kind"] == "StatefulSet"
        for name in [resource["metadata"]["name"]]
    )
