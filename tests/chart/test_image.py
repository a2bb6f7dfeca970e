"""The recipe of the image, read as text: what it installs is pinned, who it runs as is a number, what it is made of."""

from __future__ import annotations

import re
import tomllib

import yaml

from tests.chart.chart import HELM

ROOT = HELM.parent
RECIPE = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text("utf-8"))
INSTRUCTIONS = [line.split(maxsplit=1) for line in RECIPE.splitlines() if line and not line.startswith("#")]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def _all(instruction: str) -> list[str]:
    return [rest for name, rest in INSTRUCTIONS if name == instruction]


def test_everything_that_is_installed_is_pinned_by_hash_or_built_here() -> None:
    installs = [part for run in _all("RUN") for part in run.split("&&") if re.search(r"\bpip\b.*\binstall\b", part)]
    assert len(installs) == 3
    assert [part for part in installs if "--require-hashes" not in part and "--no-index" not in part] == []
    assert all("--no-deps" in part for part in installs)


def test_the_build_tools_are_locked() -> None:
    (names,) = re.findall(r"/\^\(([a-z|-]+)\)==/", RECIPE)
    lock = (ROOT / "requirements-dev.lock").read_text("utf-8")
    assert "hatchling" in names.split("|")
    assert [name for name in names.split("|") if not re.search(rf"^{name}==", lock, re.MULTILINE)] == []


def test_it_runs_as_the_user_that_the_chart_demands() -> None:
    assert _all("USER") == ["10001:10001"]
    assert INSTRUCTIONS.index(["USER", "10001:10001"]) > max(
        place for place, (name, _) in enumerate(INSTRUCTIONS) if name in ("RUN", "COPY")
    )
    pod = (HELM / "templates" / "_pod.tpl").read_text("utf-8")
    assert re.findall(r"runAs(?:User|Group): (\d+)", pod) == ["10001", "10001"]


def test_it_holds_the_packages_of_the_wheel_and_nothing_else_is_sent_to_the_builder() -> None:
    packages = set(PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])
    copied = {word for copy in _all("COPY") if "--from" not in copy for word in copy.split()[:-1]}
    ignored = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    allowed = {line[1:] for line in ignored if line.startswith("!")}
    assert packages <= copied
    assert copied == allowed
    assert next(line for line in ignored if not line.startswith("#")) == "*"


def test_chart_and_program_have_one_version() -> None:
    chart = yaml.safe_load((HELM / "Chart.yaml").read_text("utf-8"))
    assert chart["appVersion"] == PROJECT["project"]["version"]
