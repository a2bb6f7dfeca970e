"""helm, kubeconform and the schemas that they check against, from package registries alone; cached outside the tree.

    helm, kubeconform       Go modules, built here (helm takes some minutes)
    Kubernetes' schemas     the package kubernetes-validate on PyPI
    ServiceMonitor's        the custom resource definition in the Prometheus operator's Go module

``python -m tests.chart.tools`` obtains what is missing; exit code 1 when something cannot be had.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

HELM = "helm.sh/helm/v3/cmd/helm@v3.22.0"
KUBECONFORM = "github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0"
OPERATOR = "github.com/prometheus-operator/prometheus-operator@v0.85.0"
MONITOR = "example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml"
SCHEMAS = "kubernetes-validate==1.37.0 --hash=sha256:85136d018a27b50ec7fc049d902bfa5193f5976807e6c0f408e3ab6fe078cad9\n"
VERSIONS = ("1.27.0", "1.37.0")
"""The oldest Kubernetes that the chart promises, and the newest whose schemas there are."""

BUILD_S = 1_800
FETCH_S = 600
DEFINITIONS = b"/api/_definitions.json"

Json = dict[str, Any]


class ToolMissing(RuntimeError):
    """A tool cannot be obtained here; the message says what is missing."""


@dataclass(frozen=True)
class Tools:
    """Two programs, and a folder with one folder of schemas for each Kubernetes version."""

    helm: Path
    kubeconform: Path
    schemas: Path

    @property
    def complete(self) -> bool:
        """Whether everything is there."""
        return all(path.exists() for path in (self.helm, self.kubeconform, self.schemas))


def cached() -> Tools:
    """Where the tools are, or would be."""
    home = _home()
    return Tools(
        helm=home / _versioned(HELM),
        kubeconform=home / _versioned(KUBECONFORM),
        schemas=home / f"schemas-{SCHEMAS.split(maxsplit=1)[0].partition('==')[2]}",
    )


def obtain() -> Tools:
    """The tools, built and fetched on first use. Raises ToolMissing."""
    tools = cached()
    tools.helm.parent.mkdir(parents=True, exist_ok=True)
    for module, program in ((KUBECONFORM, tools.kubeconform), (HELM, tools.helm)):
        if not program.exists():
            sys.stderr.write(f"building {module} (once; minutes)\n")
            with tempfile.TemporaryDirectory(dir=_home()) as folder:
                _put_in_place(_built(module, Path(folder)), program)
    if not tools.schemas.exists():
        with tempfile.TemporaryDirectory(dir=_home()) as folder:
            _put_in_place(_schemas(Path(folder)), tools.schemas)
    return tools


def _home() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "consensus" / "chart-tools"


def _versioned(module: str) -> str:
    path, _, version = module.partition("@")
    return f"{path.rpartition('/')[2]}-{version}"


def _built(module: str, folder: Path) -> Path:
    """A program without libraries, from its module's source; the module's own sum is checked by the Go toolchain."""
    _go(["install", module], BUILD_S, {"CGO_ENABLED": "0", "GOBIN": str(folder)})
    return folder / module.partition("@")[0].rpartition("/")[2]


def _go(arguments: list[str], seconds: float, environment: Mapping[str, str]) -> str:
    if shutil.which("go") is None:
        raise ToolMissing("the chart's tools are built from source: install Go (1.25 or newer)")
    return _run(["go", *arguments], seconds, environment)


def _run(command: list[str], seconds: float, environment: Mapping[str, str]) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=seconds, env={**os.environ, **environment}, check=False
    )
    if done.returncode:
        raise ToolMissing(f"{' '.join(command[:4])} failed:\n{(done.stdout + done.stderr)[-2_000:]}")
    return done.stdout


def _schemas(folder: Path) -> Path:
    """A folder per Kubernetes version, with one strict schema for each kind, complete in itself."""
    (folder / "pinned.txt").write_text(SCHEMAS, encoding="utf-8")
    download = ["download", "-q", "--no-deps", "--require-hashes", "-r", str(folder / "pinned.txt"), "-d", str(folder)]
    _run([sys.executable, "-m", "pip", *download], FETCH_S, {})
    (wheel,) = folder.glob("*.whl")
    monitor = _custom(_operator() / MONITOR)
    with zipfile.ZipFile(wheel) as archive:
        for version in VERSIONS:
            target = folder / "schemas" / version
            target.mkdir(parents=True)
            for name, schema in {**_kinds(archive, version), "servicemonitor-monitoring-v1.json": monitor}.items():
                (target / name).write_text(json.dumps(schema), encoding="utf-8")
    return folder / "schemas"


def _kinds(archive: zipfile.ZipFile, version: str) -> dict[str, Json]:
    """File name to schema for every kind that can be applied."""
    inside = f"kubernetes_validate/kubernetes-json-schema/v{version}-local-strict/"
    definitions = json.loads(archive.read(f"{inside}_definitions.json"))["$defs"]
    kinds = {}
    for path in archive.namelist():
        if path.startswith(inside) and not path.endswith(("_definitions.json", "all.json")):
            schema = json.loads(archive.read(path).replace(DEFINITIONS, b""))
            if "x-kubernetes-group-version-kind" in schema:
                kinds[path.removeprefix(inside)] = _complete(schema, definitions)
    return kinds


def _complete(schema: Json, definitions: Json) -> Json:
    """The schema with the definitions that it needs, and without the identity that makes it an address on the net."""
    needed: Json = {}
    waiting = _references(schema)
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed[name] = definitions[name]
            waiting |= _references(definitions[name])
    return {**{key: value for key, value in schema.items() if key != "$id"}, "$defs": needed}


def _references(node: Any) -> set[str]:
    return set(re.findall(r'"#/\$defs/([^"]+)"', json.dumps(node)))


def _operator() -> Path:
    found = json.loads(_go(["mod", "download", "-json", OPERATOR], FETCH_S, {}))
    return Path(found["Dir"])


def _custom(path: Path) -> Json:
    """The strict schema of the only version in a custom resource definition."""
    (version,) = yaml.safe_load(path.read_text("utf-8"))["spec"]["versions"]
    schema: Json = version["schema"]["openAPIV3Schema"]
    return _strict(schema)


def _strict(node: Any) -> Any:
    """What names its properties allows no others."""
    if isinstance(node, list):
        return [_strict(item) for item in node]
    if not isinstance(node, dict):
        return node
    strict = {key: _strict(value) for key, value in node.items()}
    if isinstance(strict.get("properties"), dict) and "additionalProperties" not in strict:
        strict["additionalProperties"] = False
    return strict


def _put_in_place(made: Path, wanted: Path) -> None:
    """Rename into place; another process that was quicker has done the same work."""
    try:
        made.rename(wanted)
    except OSError:
        if not wanted.exists():
            raise


def main() -> int:
    """Obtain everything; returns the exit code."""
    try:
        tools = obtain()
    except ToolMissing as error:
        sys.stderr.write(f"the chart cannot be rendered and checked here: {error}\n")
        return 1
    sys.stderr.write(f"helm and kubeconform: {tools.helm.parent}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
