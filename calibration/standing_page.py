"""Where a deployment stands, as one HTML page: readable offline and in an archive. Every text is escaped."""

from __future__ import annotations

import html as markup
from collections.abc import Iterator, Sequence
from typing import Any

from calibration.page import page, section, table
from calibration.standing import ALPHAS
from calibration.svg import Axis, Line, chart

POOLED = "*"


def html(found: dict[str, Any]) -> str:
    """The page of a report (`consensus.standing.report`)."""
    return page("Calibration", _parts(found))


def _parts(found: dict[str, Any]) -> Iterator[str]:
    yield _summary(found)
    yield section("Certificates", "Among accepted answers of a class, error at most α with probability 1 − δ; revoked "
                  "when a monitor of blind audits, valid at any time, says that it no longer holds.",
                  _certificates(found["certificates"]))  # fmt: skip
    yield section("Campaigns", "Blind audits on the way to a certificate.", _campaigns(found["campaigns"]))
    yield section("Audits against plan", "Accepted answers that people check blind; calibration needs about 130.",
                  _audits(found["audits"]))  # fmt: skip
    yield section("Reviews a day by α", "If everything above the lowest honest bar were accepted. No certificate: it "
                  "holds as far as the confidences do. In brackets the share that is accepted.",
                  _what_if(found["what_if"]))  # fmt: skip
    yield section("Confidence", "Stated confidence against the share that was right, on decisions with a blind ground "
                  "truth, most of them disagreements; on the line is honest.",
                  _calibration(found["calibration"]))  # fmt: skip
    yield section("Accepted answers", "Drawn before anybody saw them: what was stated, and what blind audits found.",
                  _audited(found["audited"]))  # fmt: skip
    yield section("Models", "Share of right answers with a 95 % interval, over the labelled decisions, of which people "
                  "saw mostly disagreements; labels in brackets.", _reliability(found["reliability"]))  # fmt: skip
    yield section("Cost", "Dollars and calls per decision.", _costs(found["costs"]))
    yield section("Feedback", "What came back from users, against the leading answer; it fits and certifies nothing.",
                  _feedback(found["feedback"]))  # fmt: skip
    yield _disagreements(found["disagreements"])
    yield section("To adjudicate", "Blind sources that contradict one another: no label until a third decides.",
                  _contradictions(found["contradictions"]))  # fmt: skip
    yield section("Alarms and acts", "The latest alarms, rollbacks, holds and releases.", _acts(found))


def _summary(found: dict[str, Any]) -> str:
    labels, snapshot = found["labels"], found["snapshot"]
    fitted = "Nothing has been fitted yet: confidences are null."
    if snapshot is not None:
        fitted = (
            f"Decides with {snapshot['version']}, fitted on {snapshot['labels']} labels, the newest "
            f"{snapshot['age_days']:.1f} days old."
        )
    facts = [
        f"{found['decisions']} recent decisions looked at, {found['generated_at']}.",
        f"{labels['labelled']} requests have a label; {labels['contradicted']} wait for adjudication, "
        f"{labels['unknown']} outcomes for a request that is not known, {labels['unusable']} cannot be used.",
        fitted,
    ]
    items = "".join(f"<li>{markup.escape(fact)}</li>" for fact in facts)
    return f"<h1>Calibration</h1><ul>{items}</ul>"


def _certificates(rows: Sequence[dict[str, Any]]) -> str:
    header = ("class", "α", "δ", "audits", "wrong", "method", "accepts from", "age, days", "state", "revoked by")
    return _rows(header, [
        (
            one["class"], f"{one['alpha']:g}", f"{one['delta']:g}", str(one["n"]), str(one["errors"]), one["method"],
            f"{one['threshold']:.3f}", f"{one['age_days']:.1f}",
            f"revoked: {one['why']}" if one["revoked"] else "in force", one["revoked_by"],
        )
        for one in rows
    ], "No class is certified: nothing is accepted under a bound.")  # fmt: skip


def _campaigns(rows: Sequence[dict[str, Any]]) -> str:
    header = ("campaign", "α", "state", "labels used", "budget", "regions", "expected to go", "coverage")
    return _rows(header, [
        (
            one["id"], f"{one['alpha']:g}", one["state"].replace("_", " "), str(one["labels_used"]),
            str(one["budget"]), str(one["regions"]), _or_dash(one["expected_to_go"], "{}"), f"{one['coverage']:.2f}",
        )
        for one in rows
    ], "There were none.")  # fmt: skip


def _audits(rows: Sequence[dict[str, Any]]) -> str:
    header = ("class", "audited", "needed", "waiting", "a day", "there by", "")
    return _rows(header, [
        (
            one["class"], str(one["audits"]), str(one["needed"]), str(one["waiting"]),
            _or_dash(one["per_day"], "{:.1f}"), _or_dash(one["due"], "{:.10}"), "behind" if one["behind"] else "",
        )
        for one in rows
    ], "Nothing was accepted yet.")  # fmt: skip


def _what_if(rows: Sequence[dict[str, Any]]) -> str:
    header = ("class", "decisions a day", *(f"α = {alpha:g}" for alpha in ALPHAS))
    by_class: dict[str, list[dict[str, Any]]] = {}
    for one in rows:
        by_class.setdefault(one["class"], []).append(one)
    cells = [
        (cls, f"{some[0]['decisions_per_day']:.1f}", *(_reviews(one) for one in some)) for cls, some in by_class.items()
    ]
    return _rows(header, cells, "There were no decisions yet.")


def _reviews(one: dict[str, Any]) -> str:
    return f"{one['reviews_per_day']:.1f} ({one['accepted']:.0%})"


def _calibration(bins: Sequence[dict[str, Any]]) -> str:
    if not bins:
        return _nothing("No decision with a confidence has a ground truth yet.")
    lines = [
        Line("share right", [(one["confidence"], one["right"]) for one in bins], dots=True),
        Line("from (95 %)", [(one["confidence"], one["low"]) for one in bins], dashed=True),
        Line("to (95 %)", [(one["confidence"], one["high"]) for one in bins], dashed=True),
        Line("honest", [(0, 0), (1, 1)], dashed=True),
    ]
    note = f"{sum(one['labels'] for one in bins)} labels, {min(one['labels'] for one in bins)} or more a point."
    return chart(lines, Axis("confidence", 0, 1), Axis("share right", 0, 1)) + _nothing(note)


def _audited(rows: Sequence[dict[str, Any]]) -> str:
    cells = [
        (one["class"], str(one["audits"]), f"{one['stated']:.3f}", f"{one['right']:.3f}",
         f"{one['low']:.3f} – {one['high']:.3f}")
        for one in rows
    ]  # fmt: skip
    return _rows(("class", "audits", "stated", "right", "95 %"), cells, "No accepted answer was audited yet.")


def _reliability(rows: Sequence[dict[str, Any]]) -> str:
    cells = {(one["model"], one["domain"]): one for one in rows}
    models = sorted({model for model, _ in cells})
    domains = sorted({domain for _, domain in cells} - {POOLED})
    header = ("model", "all domains", *domains)
    return _rows(header, [
        (model, *(_share(cells.get((model, domain))) for domain in (POOLED, *domains))) for model in models
    ], "No label yet.")  # fmt: skip


def _share(one: dict[str, Any] | None) -> str:
    if one is None or not one["labels"]:
        return "–"
    return f"{one['mean']:.2f} ({one['low']:.2f}–{one['high']:.2f}) [{one['labels']}]"


def _costs(rows: Sequence[dict[str, Any]]) -> str:
    header = ("class", "decisions", "mean", "median", "dearest tenth from", "calls", "how they ended")
    return _rows(header, [
        (
            one["class"], str(one["decisions"]), f"{one['cost_mean']:.5f}", f"{one['cost_median']:.5f}",
            f"{one['cost_p90']:.5f}", f"{one['calls_mean']:.2f}",
            ", ".join(f"{name.replace('_', ' ')} {share:.0%}" for name, share in one["statuses"].items()),
        )
        for one in rows
    ], "There were no decisions yet.")  # fmt: skip


def _feedback(rows: Sequence[dict[str, Any]]) -> str:
    cells = [(one["class"], str(one["outcomes"]), f"{one['wrong'] / one['outcomes']:.1%}") for one in rows]
    return _rows(("class", "outcomes", "said wrong"), cells, "None came back yet.")


def _disagreements(found: dict[str, Any]) -> str:
    note = (
        f"{found['decisions']} recent disagreements, {found['with_text']} of them with a question that is still kept, "
        "grouped by their words. The questions are what callers wrote."
    )
    body = "".join(_group(one) for one in found["groups"])
    return section("Where errors cluster", note, body or _nothing("There were no disagreements."))


def _group(one: dict[str, Any]) -> str:
    name = markup.escape(", ".join(one["terms"]) or "not told apart by words")
    wrong = (
        f"wrong in {one['wrong']} of {one['labelled']} with a ground truth" if one["labelled"] else "no ground truth"
    )
    domains = ", ".join(one["domains"])
    examples = "".join(f"<li>{markup.escape(text)}</li>" for text in one["examples"])
    facts = markup.escape(f"{one['size']} disagreements · {wrong} · {domains}")
    return f'<h3>{name}</h3><p class="note">{facts}</p><ul>{examples}</ul>'


def _contradictions(rows: Sequence[dict[str, Any]]) -> str:
    cells = [
        (one["tenant"], one["request_id"], "; ".join(f"{source}: {_candidate(truth)}" for source, truth in one["said"]))
        for one in rows
    ]
    return _rows(("tenant", "request", "what they say"), cells, "None.")


def _candidate(truth: int) -> str:
    return "none of the answers" if truth < 0 else f"candidate {truth + 1}"


def _acts(found: dict[str, Any]) -> str:
    rows = [
        (str(one["raised_at"])[:19], f"sev-{one['severity']} {one['code']}", one["subject"], one["detail"])
        for one in found["alarms"]
    ]
    rows += [
        (one["at"][:19], "rollback", one["version"], f"instead of {one['instead_of']}, by {one['by']}: {one['reason']}")
        for one in found["rollbacks"]
    ]
    rows += [
        (one["at"][:19], one["state"] if one["active"] else f"{one['state']}: released", one["class"],
         f"by {one['by']}: {one['reason']}")
        for one in found["classes"]
    ]  # fmt: skip
    return _rows(("when", "what", "about", ""), sorted(rows, reverse=True), "None.")


def _rows(header: Sequence[str], rows: Sequence[Sequence[str]], nothing: str) -> str:
    return table(header, rows) if rows else _nothing(nothing)


def _nothing(text: str) -> str:
    return f'<p class="note">{markup.escape(text)}</p>'


def _or_dash(value: Any, pattern: str) -> str:
    return "–" if value is None else pattern.format(value)
