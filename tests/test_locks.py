"""The lock files hold everything that pyproject.toml asks for, with hashes, without addresses."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
LOCKS = ("requirements.lock", "requirements-dev.lock")


def _locked(name: str) -> dict[str, Version]:
    lines = re.findall(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)", (ROOT / name).read_text("utf-8"), re.MULTILINE)
    return {canonicalize_name(package): Version(version) for package, version in lines}


def _required(*groups: list[str]) -> list[Requirement]:
    return [Requirement(line) for group in groups for line in group]


RUNTIME = PROJECT["project"]["dependencies"]
EVERYTHING = [RUNTIME, *PROJECT["project"]["optional-dependencies"].values(), PROJECT["dependency-groups"]["dev"]]


@pytest.mark.parametrize(("lock", "groups"), [(LOCKS[0], [RUNTIME]), (LOCKS[1], EVERYTHING)])
def test_every_requirement_is_locked_at_a_version_that_it_allows(lock: str, groups: list[list[str]]) -> None:
    locked = _locked(lock)
    wrong = [
        str(requirement)
        for requirement in _required(*groups)
        if locked.get(canonicalize_name(requirement.name), Version("0")) not in requirement.specifier
    ]
    assert wrong == [], "run: make lock"


def test_tests_run_on_the_versions_that_are_shipped() -> None:
    development = _locked(LOCKS[1])
    assert {name: version for name, version in _locked(LOCKS[0]).items() if development.get(name) != version} == {}


@pytest.mark.parametrize("lock", LOCKS)
def test_locks_have_hashes_and_no_addresses(lock: str) -> None:
    text = (ROOT / lock).read_text("utf-8")
    entries = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []
    assert "://" not in text
    assert "--index-url" not in text.replace("--no-emit-index-url", "")


def test_malicious_and_old_releases_of_litellm_are_never_locked() -> None:
    for lock in LOCKS:
        assert _locked(lock)["litellm"] >= Version("1.84.0")
