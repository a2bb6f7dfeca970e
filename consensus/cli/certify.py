"""``consensus calibration certify``: open a campaign for a certificate, or tell where campaigns stand."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from consensus.cli.options import AsJson, Config, run, settings_of, show

if TYPE_CHECKING:
    from consensus.freezing import Opening, Wanted
    from consensus.policy import Policy
    from consensus.settings import Settings


def certify(
    policy: Annotated[str | None, typer.Option(help="Policy whose class is to be certified.")] = None,
    labels: Annotated[int | None, typer.Option(min=1, help="Labels that people may be asked for.")] = None,
    alpha: Annotated[float | None, typer.Option(help="Bound of the error; default: the policy's.")] = None,
    delta: Annotated[float | None, typer.Option(help="Probability that it fails; default: the policy's.")] = None,
    cls: Annotated[str | None, typer.Option("--class", help="Class, where the policy lists several.")] = None,
    anyway: Annotated[bool, typer.Option("--anyway", help="Open it although the labels will hardly do.")] = False,
    status: Annotated[bool, typer.Option("--status", help="Tell where certification stands instead.")] = False,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Freeze snapshot, archive, order, start, budget and boundary; the calibrator then asks people, a few at a time."""
    from consensus.errors import ConfigError

    settings = settings_of(config)
    if status:
        found = run(_overview(settings))
        show(found, _told(found), as_json=as_json)
        return
    if policy is None or labels is None:
        raise ConfigError("certify", "needs --policy and --labels, or --status")
    wanted = _wanted(settings, policy, cls, alpha, delta, labels)
    opening, opened = run(_open(settings, wanted, anyway=anyway))
    show(_tree(opening, opened=opened), _opened(opening, opened=opened), as_json=as_json)
    if not opened:
        raise typer.Exit(1)


def _wanted(
    settings: Settings, name: str, cls: str | None, alpha: float | None, delta: float | None, labels: int
) -> Wanted:
    from consensus.errors import ConfigError
    from consensus.freezing import Wanted

    policies = settings.policy_policies()
    if name not in policies:
        raise ConfigError("--policy", f"there is no policy {name!r}; there are {', '.join(policies)}")
    policy = policies[name]
    alpha, delta = policy.alpha if alpha is None else alpha, policy.delta if delta is None else delta
    for option, value in (("--alpha", alpha), ("--delta", delta)):
        if not 0 < value < 1:
            raise ConfigError(option, "must lie between 0 and 1")
    chosen = _class(policy, cls)
    panel = settings.panel_policies()[policy.panel]
    return Wanted(chosen, policy, panel, alpha, delta, labels, settings.audit.horizon_hours)


def _class(policy: Policy, cls: str | None) -> str:
    from consensus.errors import ConfigError

    if cls is None and len(policy.class_names) == 1:
        return policy.class_names[0]
    if cls not in policy.class_names:
        raise ConfigError("--class", f"one of {', '.join(policy.class_names)}")
    return cls


async def _open(settings: Settings, wanted: Wanted, *, anyway: bool) -> tuple[Opening, bool]:
    """Freeze, and publish where it is promising or wanted anyway; whether it was published."""
    from consensus.app import migrated_store
    from consensus.freezing import freeze, publish
    from consensus.kafka.snapshots import Publisher

    async with migrated_store(settings) as engine:
        opening = await freeze(engine, wanted, datetime.now(UTC))
    if not (opening.promising or anyway):
        return opening, False
    publisher = Publisher(settings.kafka)
    await publisher.start()
    try:
        await publish(publisher, opening)
    finally:
        await publisher.stop()
    return opening, True


async def _overview(settings: Settings) -> dict[str, Any]:
    from calibration.store.certification import overview
    from consensus.app import migrated_store
    from consensus.ledger.transactions import Transactions

    async with migrated_store(settings) as engine:
        reading = Transactions(engine, settings.store.timeout_s)
        async with reading.read("reading campaigns") as connection:
            return await overview(connection, datetime.now(UTC))


def _tree(opening: Opening, *, opened: bool) -> dict[str, Any]:
    found = opening.definition
    return {
        "state": "opened" if opened else "infeasible",
        "campaign": found.id,
        "digest": found.digest,
        "class": found.class_,
        "snapshot_version": found.snapshot_version,
        "alpha": found.alpha,
        "delta": found.delta,
        "share": found.share,
        "archive": found.archive,
        "regions": len(found.plan.thresholds),
        "start": found.plan.start,
        "budget": found.plan.budget,
        "would_do": opening.would_do,
    }


def _opened(opening: Opening, *, opened: bool) -> str:
    found, do = opening.definition, opening.would_do
    expected = "no number of labels would probably do" if do is None else f"about {do} labels would probably do"
    if not opened:
        return f"{found.class_}: no safe threshold is to be expected at α = {found.alpha:g}: {expected}"
    return (
        f"{found.id}: up to {found.plan.budget} of {found.archive} requests go to people, a few at a time; {expected}\n"
        f"error ≤ {found.alpha:g} with probability ≥ {1 - found.share:.4g}, on {found.snapshot_version} · "
        f"{found.digest[:16]}\nfollow it with: consensus calibration certify --status"
    )


def _told(found: dict[str, Any]) -> str:
    lines = [_campaign(one) for one in found["campaigns"]] or ["there were no campaigns yet"]
    lines += [_certificate(one) for one in found["certificates"]]
    lines += [_audits(one) for one in found["audits"]]
    lines += [
        f"class {one['class']}: {one['state']} {'since' if one['active'] else 'until'} {one['at']} by {one['by']}: "
        f"{one['reason']}"
        for one in found["classes"]
    ]
    return "\n".join(lines)


def _campaign(one: dict[str, Any]) -> str:
    head = f"campaign {one['id']} at α = {one['alpha']:g}: {one['state'].replace('_', ' ')}"
    used = f"{one['labels_used']} of {one['budget']} labels, {one['regions']} regions certified"
    if one["state"] == "running":
        ahead = one["expected_to_go"]
        rest = "the budget will hardly do for another" if ahead is None else f"about {ahead} labels to the next"
    elif one["state"] == "certified":
        rest = f"accepts from confidence {one['threshold']:.3f}: {one['coverage']:.0%} of the archive"
    else:
        rest = "no number would do" if one["would_do"] is None else f"about {one['would_do']} labels would do"
    return f"{head} · {used} · {rest}"


def _certificate(one: dict[str, Any]) -> str:
    ends = f"REVOKED: {one['why']}" if one["revoked"] else f"{one['age_days']:.0f} days old"
    excluded = f" · without {', '.join(one['excluded'])}" if one["excluded"] else ""
    bound = f"error ≤ {one['alpha']:g}, {one['errors']} of {one['n']} audits wrong"
    return f"certificate of {one['class']}: {bound}{excluded} · {ends}"


def _audits(one: dict[str, Any]) -> str:
    due = "" if one["due"] is None else f", the rest by {one['due'][:10]}"
    behind = " · BELOW PLAN" if one["behind"] else ""
    return f"audits of {one['class']}: {one['audits']} of {one['needed']}{due} · {one['waiting']} waiting{behind}"
