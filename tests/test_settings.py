"""The configuration: what is read, what is refused, and that every refusal names the key and says what to do."""

from __future__ import annotations

import textwrap
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from structlog.testing import capture_logs

from calibration.fitting import EPOCH, fit
from consensus.app import redundant
from consensus.errors import ConfigError
from consensus.policy import DEFAULT_ON_DISAGREEMENT
from consensus.settings import Settings, load
from consensus.settings.cautions import cautions
from consensus.settings.load import parse
from consensus.settings.rules import missing_variables, violations
from consensus.types import Kind, Route, Stakes
from tests.calibration.tables import copied, independent

TODAY = date(2026, 1, 15)
EXAMPLE = Path(__file__).parents[1] / "docs" / "examples" / "consensus.yaml"


def tree(**sections: Any) -> dict[str, Any]:
    """A small valid configuration, with some sections replaced."""
    return {
        "models": {
            "a": {"model": "openai/a", "family": "alpha"},
            "b": {"model": "openai/b", "family": "beta"},
            "c": {"model": "openai/c", "family": "gamma"},
        },
        "panels": {"main": {"models": ["a", "b"], "quorum": 2}},
        "arbiters": {"judge": {"model": "c"}},
        "policies": {"default": {"panel": "main", "arbiters": ["judge"]}},
        **sections,
    }


def findings(raw: dict[str, Any], env: dict[str, str] | None = None) -> dict[str, str]:
    """path → message of everything that is wrong."""
    try:
        settings = parse(raw, env or {})
    except ConfigError as error:
        return {item.path: item.message for item in (error, *error.also)}
    return {error.path: error.message for error in violations(settings, TODAY)}


def write(folder: Path, text: str) -> str:
    path = folder / "consensus.yaml"
    path.write_text(textwrap.dedent(text), "utf-8")
    return str(path)


def test_nothing_configured_is_all_defaults() -> None:
    settings = load(env={})
    assert settings == Settings()
    assert (settings.kafka.bootstrap_servers, settings.review.enabled) == ("127.0.0.1:9092", True)


def test_a_small_configuration_becomes_policies() -> None:
    settings = parse(tree(), {})
    assert violations(settings, TODAY) == []
    assert settings.model_policies()["a"].family == "alpha"
    assert settings.panel_policies()["main"].models == ("a", "b")
    assert settings.arbiter_policies()["judge"].model == "c"
    assert settings.policy_policies()["default"].on_disagreement == DEFAULT_ON_DISAGREEMENT
    assert [p.name for p in settings.policy_policies().values()] == ["default"]


def test_the_example_is_valid() -> None:
    settings = load(str(EXAMPLE), {}, today=TODAY)
    assert {path for path, _ in ((c.path, c.message) for c in cautions(settings, TODAY))} == set()
    assert {error.path.rpartition(".")[2] for error in missing_variables(settings, {})} == {"api_key_env", "url_env"}


# ---------------------------------------------------------------- sources


def test_the_file_is_named_by_argument_or_variable(tmp_path: Path) -> None:
    path = write(tmp_path, "kafka: {partitions: 3}")
    assert load(path, {}).kafka.partitions == 3
    assert load(None, {"CONSENSUS_CONFIG": path}).kafka.partitions == 3


def test_the_environment_overrides_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, "kafka: {partitions: 3, prefix: mine}\nreview:\n")
    env = {
        "CONSENSUS__KAFKA__PARTITIONS": "12",
        "CONSENSUS__REVIEW__ENABLED": "false",
        "CONSENSUS__TELEMETRY__LISTEN": "null",
        "CONSENSUS__KAFKA__GROUP": "",
        "CONSENSUS_OTHER": "ignored",
    }
    settings = load(path, env)
    assert (settings.kafka.partitions, settings.kafka.prefix, settings.kafka.group) == (12, "mine", "consensus-worker")
    assert (settings.review.enabled, settings.telemetry.listen) == (False, None)


def test_a_variable_finds_entries_whose_name_a_variable_cannot_hold() -> None:
    raw = tree()
    raw["models"]["Gpt-4.1"] = {"model": "openai/gpt", "family": "delta"}
    settings = parse(
        raw, {"CONSENSUS__MODELS__GPT_4_1__TIMEOUT_S": "7", "CONSENSUS__PANELS__MAIN__MODELS": '["a", "c"]'}
    )
    assert settings.models["Gpt-4.1"].timeout_s == 7
    assert settings.panels["main"].models == ("a", "c")


def test_reading_the_environment_leaves_the_given_mapping_alone() -> None:
    raw = tree()
    parse(raw, {"CONSENSUS__MODELS__A__FAMILY": "other"})
    assert raw == tree()


@pytest.mark.parametrize(
    ("variable", "value", "path", "message"),
    [
        ("CONSENSUS__KAFKA__PARTITIONS", "six", "kafka.partitions", "(set by CONSENSUS__KAFKA__PARTITIONS)"),
        ("CONSENSUS__KAFKA__PARTITION", "6", "kafka.partition", "did you mean partitions?"),
        ("CONSENSUS__KAFFKA__GROUP", "g", "kaffka", "did you mean kafka?"),
        ("CONSENSUS__PANELS__MAIN__MODELS", "[a", "CONSENSUS__PANELS__MAIN__MODELS", "is not valid JSON"),
        ("CONSENSUS__PANELS__MAIN__MODELS__0", "a", "CONSENSUS__PANELS__MAIN__MODELS__0", "models is no mapping"),
        ("CONSENSUS__KAFKA__", "a", "CONSENSUS__KAFKA__", "names no key"),
    ],
)  # fmt: skip
def test_a_wrong_variable_is_named(variable: str, value: str, path: str, message: str) -> None:
    found = findings(tree(), {variable: value})
    assert message in found[path]


@pytest.mark.parametrize(
    ("text", "path", "message"),
    [
        ("kafka: [", ":1", "is not valid YAML"),
        ("kafka: {group: a}\nkafka: {group: b}\n", ":2", "'kafka' is given twice"),
        ("- kafka", "consensus.yaml", "must be a mapping"),
        ("kafka: \x00", "consensus.yaml", "does not allow"),
    ],
)
def test_a_file_that_is_no_configuration(tmp_path: Path, text: str, path: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, text), {})
    assert caught.value.path.endswith(path)
    assert message in caught.value.message


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"kafka: \xe9")
    with pytest.raises(ConfigError, match="No such file or directory"):
        load(str(tmp_path / "nowhere.yaml"), {})
    with pytest.raises(ConfigError, match="not UTF-8"):
        load(str(tmp_path / "latin"), {})


def test_yaml_reads_a_bare_on_as_true_and_we_do_not_mind() -> None:
    raw = yaml.safe_load("{model: openai/a, family: alpha, structured: on}")
    assert parse(tree(models={"a": raw}, panels={}, arbiters={}, policies={}), {}).models["a"].structured == "on"


# ---------------------------------------------------------------- keys


@pytest.mark.parametrize(
    ("section", "value", "path", "message"),
    [
        ("kafka", {"bootstrap_server": "x"}, "kafka.bootstrap_server", "did you mean bootstrap_servers?"),
        ("polices", {}, "polices", "did you mean policies?"),
        ("auth", {"issuer": "x"}, "auth.issuer", "this section has no keys"),
        ("models", {"a": {"model": "m", "family": "f", "timeout": 3}}, "models.a.timeout", "did you mean timeout_s?"),
        ("models", {"a": {"model": "m"}}, "models.a.family", "is required"),
        ("models", {"a": {"model": "m", "family": ""}}, "models.a.family", "at least 1 character"),
        ("models", {"a b": {"model": "m", "family": "f"}}, "models.a b", "a name starts with a letter or digit"),
        ("models", {"a": {"name": "b", "model": "m", "family": "f"}}, "models", "a.name: the key already names"),
        ("models", {"a": 3}, "models.a", "valid dictionary"),
        ("policies", {"p": {"panel": "main", "budget": {"call": 3}}}, "policies.p.budget.call", "did you mean calls?"),
        ("policies", {"p": {"panel": "main", "applies_to": [{"domains": "x"}]}}, "policies.p.applies_to[0].domains",
         "did you mean domain?"),
        ("policies", {"p": {"panel": "main", "accept_uncertified": "yes"}}, "policies.p.accept_uncertified", "'never'"),
        ("policies", {"p": {"panel": "main", "on_disagreement": {"reasoning": "accept"}}}, "policies.p.on_disagreement",
         "reasoning may not be accepted"),
    ],
)  # fmt: skip
def test_a_wrong_key_is_named_with_what_to_do(section: str, value: Any, path: str, message: str) -> None:
    assert message in findings(tree(**{section: value}))[path]


@pytest.mark.parametrize("key", ["api_key", "token", "password"])
def test_a_literal_secret_is_refused_and_never_repeated(key: str) -> None:
    found = findings(tree(models={"a": {"model": "m", "family": "f", key: "sk-very-secret"}}))
    assert "put it into an environment variable, and its name into api_key_env" in found[f"models.a.{key}"]
    assert "sk-very-secret" not in str(found)


def test_a_secret_in_the_place_of_a_variable_name_is_refused_and_never_repeated() -> None:
    found = findings(tree(models={"a": {"model": "m", "family": "f", "api_key_env": "sk-very-secret"}}))
    assert "must be the name of an environment variable" in found["models.a.api_key_env"]
    assert "sk-very-secret" not in str(found)


def test_urls_with_passwords_are_refused_and_never_repeated() -> None:
    models = {"a": {"model": "m", "family": "f", "api_base": "https://me:hunter2@host/v1"}}
    found = findings(tree(models=models, store={"url": "postgresql+asyncpg://me:hunter2@db/c"}))
    assert "store.url_env" in found["store.url"]
    assert "api_key_env" in found["models.a.api_base"]
    assert "hunter2" not in str(found)


def test_everything_wrong_is_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        parse({"kafka": {"partitions": 0}, "grpc": {"max_waiting": "x"}}, {})
    assert [caught.value.path, *(error.path for error in caught.value.also)] == ["kafka.partitions", "grpc.max_waiting"]
    assert len(str(caught.value).splitlines()) == 2


# ---------------------------------------------------------------- rules between the parts


def _panel(**keys: Any) -> dict[str, Any]:
    return {"panels": {"main": {"models": ["a", "b"], "quorum": 2, **keys}}}


def _policy(**keys: Any) -> dict[str, Any]:
    return {"policies": {"default": {"panel": "main", "arbiters": ["judge"], **keys}}}


def _models(**changes: dict[str, Any]) -> dict[str, Any]:
    models = tree()["models"]
    for name, change in changes.items():
        models[name] = {**models.get(name, {}), **change}
    return {"models": models}


TWO_CLASSES = [{"name": "x", "domains": ["law"]}, {"name": "y", "domains": ["tax", "law"]}]


@pytest.mark.parametrize(
    ("sections", "path", "message"),
    [
        (_panel(models=["a", "zz"]), "panels.main.models[1]", "there is no model 'zz'"),
        (_panel(models=["a", "b", "a"]), "panels.main.models[2]", "listed twice"),
        (_panel(models=[]), "panels.main.models", "is empty"),
        (_panel(quorum=3), "panels.main.quorum", "larger than the panel of 2"),
        (_panel(quorum=1), "panels.main.quorum", "one answer is no consensus"),
        (_panel(min_families=3), "panels.main.min_families", "larger than the panel's 2 families"),
        (_models(b={"family": "alpha"}), "panels.main.models", "one family only"),
        (_models(b={"model": "openai/A "}), "models.b", "is the same model as models.a"),
        (_models(a={"api_base": "http://h"}, b={"model": "openai/a", "api_base": "http://h/"}), "models.b", "same"),
        (_models(a={"api_base": "host:80"}), "models.a.api_base", "must start with http"),
        (_models(a={"retires_on": "2026-01-15"}), "models.a.retires_on", "is retired"),
        (_models(c={"retires_on": "2025-12-31"}), "models.c.retires_on", "is retired"),
        ({"arbiters": {"judge": {"model": "zz"}}}, "arbiters.judge.model", "there is no model 'zz'"),
        ({"policies": {}}, "policies", "add a policy"),
        (_policy(panel="other"), "policies.default.panel", "there is no panel 'other'"),
        (_policy(arbiters=["judge", "nobody"]), "policies.default.arbiters[1]", "there is no arbiter 'nobody'"),
        (_policy(budget={"calls": 1}), "policies.default.budget.calls", "smaller than the panel's quorum"),
        (_policy(review=False, arbiters=[]), "policies.default.arbiters", "no eligible arbiter and no review queue"),
        ({**_policy(arbiters=[]), "review": {"enabled": False}}, "policies.default.arbiters", "no review queue"),
        ({**_policy(review=False), **_models(c={"family": "beta"})}, "policies.default.arbiters", "no eligible"),
        (_policy(accept_uncertified="unanimous", applies_to=[{"stakes": "high"}]),
         "policies.default.accept_uncertified", "low stakes only"),
        (_policy(classes=TWO_CLASSES), "policies.default.classes[1].domains", "'law' is in the class 'x' already"),
        (_policy(classes=[{"name": "other", "domains": ["law"]}]), "policies.default.classes[0].name", "taken"),
        (_policy(classes=[{"name": "x", "domains": []}]), "policies.default.classes[0].domains", "is empty"),
        (_policy(applies_to=[{"domain": "law"}, {"domain": "law"}]), "policies.default.applies_to[1]", "the same as"),
        ({"kafka": {"security_protocol": "SASL_SSL"}}, "kafka.sasl_username", "is required with SASL_SSL"),
    ],
)  # fmt: skip
def test_a_broken_rule_is_named_with_what_to_do(sections: dict[str, Any], path: str, message: str) -> None:
    assert message in findings(tree(**sections))[path]


@pytest.mark.parametrize(
    "sections",
    [
        _policy(review=False),
        _policy(arbiters=[]),
        _policy(review=False, arbiters=[], on_disagreement={"reasoning": "abstain"}),
        _policy(accept_uncertified="unanimous"),
        _policy(accept_uncertified="unanimous", applies_to=[{"stakes": "high"}, {"domain": "law"}]),
        _models(d={"model": "openai/d", "family": "d", "retires_on": "2020-01-01"}),
        _models(b={"model": "openai/a", "api_base": "http://elsewhere/v1"}),
        _policy(classes=[{"name": "x", "domains": ["law", "tax"]}]),
    ],
)
def test_what_is_allowed(sections: dict[str, Any]) -> None:
    assert findings(tree(**sections)) == {}


def test_load_refuses_with_all_broken_rules(tmp_path: Path) -> None:
    path = write(tmp_path, yaml.safe_dump(tree(**_panel(quorum=3, min_families=3))))
    with pytest.raises(ConfigError) as caught:
        load(path, {}, today=TODAY)
    assert {caught.value.path, *(e.path for e in caught.value.also)} == {
        "panels.main.quorum",
        "panels.main.min_families",
    }


def test_review_and_audit_sections_speak_for_all_policies() -> None:
    raw = tree(policies={"x": {"panel": "main"}, "y": {"panel": "main", "audit_rate": 0.5}})
    raw |= {"review": {"enabled": False}, "audit": {"rate": 0.1, "exploration_rate": 0.2}}
    policies = parse(raw, {}).policy_policies()
    assert [(p.audit_rate, p.exploration_rate, p.review) for p in policies.values()] == [
        (0.1, 0.2, False),
        (0.5, 0.2, False),
    ]


def test_partial_tables_keep_their_defaults() -> None:
    raw = tree(**_policy(on_disagreement={"high_confidence": "abstain"}), review={"due_minutes": {"high": 5}})
    settings = parse(raw, {})
    routes = settings.policies["default"].on_disagreement
    assert (routes[Kind.HIGH_CONFIDENCE], routes[Kind.REASONING]) == (Route.ABSTAIN, Route.ARBITRATE)
    assert (settings.review.due_minutes[Stakes.HIGH], settings.review.due_minutes[Stakes.CRITICAL]) == (5, 60)


def test_variables_that_are_not_set_are_reported() -> None:
    settings = parse(tree(**_models(a={"api_key_env": "KEY_A"}, b={"api_key_env": "KEY_B"})), {})
    assert [error.path for error in missing_variables(settings, {"KEY_A": "x", "KEY_B": ""})] == [
        "models.b.api_key_env"
    ]


@pytest.mark.parametrize(
    ("sections", "path"),
    [
        (_models(a={"retires_on": "2026-04-01"}), "models.a.retires_on"),
        (_models(a={"replaces": "old"}), "models.a.replaces"),
        (_models(b={"model": "azure/a"}), "models.b.model"),
        (_models(d={"model": "openai/d", "family": "d"}), "models.d"),
        ({"policies": {"x": {"panel": "main", "arbiters": ["judge"]}}}, "policies"),
        (_policy(arbiters=[]), "policies.default.arbiters"),
        (_policy(budget={"money": 1}), "models.a"),
        ({**_panel(models=["a", "b", "c"]), **_policy(budget={"calls": 2})}, "policies.default.budget.calls"),
        (_policy(effective_votes_min=1.4), "policies.default.effective_votes_min"),
    ],
)
def test_cautions(sections: dict[str, Any], path: str) -> None:
    assert path in {caution.path for caution in cautions(parse(tree(**sections), {}), TODAY)}


def test_a_panel_that_is_worth_its_minimum_is_no_caution() -> None:
    """Two members with the assumed error correlation of .43 are worth 2 / 1.43 = 1.399 votes."""
    found = cautions(parse(tree(**_policy(effective_votes_min=1.39)), {}), TODAY)
    assert "policies.default.effective_votes_min" not in {caution.path for caution in found}


def test_a_snapshot_says_what_a_panel_is_really_worth() -> None:
    """Two copies are worth one vote, two independent members two, whatever is assumed before anything is fitted."""
    settings = parse(tree(**_policy(effective_votes_min=1.5)), {})
    for ballots, warned in ((copied(400, 0.7, 2), True), (independent(400, [0.7, 0.7]), False)):
        snapshot = fit(replace(ballots, models=("a", "b")), fitted_at=EPOCH)
        assert snapshot is not None
        found = {caution.path: caution.message for caution in cautions(settings, TODAY, snapshot)}
        assert ("policies.default.effective_votes_min" in found) is warned
        if warned:
            assert snapshot.version in found["policies.default.effective_votes_min"]
        with capture_logs() as lines:
            redundant(settings, snapshot)
        assert [line["event"] for line in lines] == ["panel_redundant"] * warned
