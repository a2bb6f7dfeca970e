"""What becomes of a certificate when traffic changes, on a recorded panel, written to benchmarks/certificates.md.

    python benchmarks/certificates.py [--data ../shared/data] [--out benchmarks/certificates.md] [--fits 6]
                                      [--lives 400]

A class is certified on all domains in their usual mix; then the share of the domains in which accepted answers err most
grows. The true error is that of the finite set of questions that were never fitted. About a minute on one core.
"""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibration import monitor, trials
from calibration.ballots import Ballots
from calibration.certificates import plan, walk
from calibration.evaluate import Setup, split
from consensus.evaluation import ballots, recorded
from consensus.kafka.watch import DELTA

FIVE = (
    "gemini-1.5-pro-002", "deepseek-coder-v2", "llama-3.1-70b-instruct", "qwen1.5-72b-chat", "jamba-1.5-large",
)  # fmt: skip
ALPHA, LABELS, FIT = 0.10, 2_000, 800
WORST = 3
"""Domains that the traffic moves to."""

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
AUDITS = 2_000

Floats = NDArray[np.float64]


def main() -> None:
    arguments = _arguments()
    file = arguments.data / "mmlu_pro_panel.jsonl.gz"
    if not file.exists():
        sys.exit(f"{file} is not there: nothing to measure")
    panel = ballots(list(recorded(file, FIVE)), FIVE)
    text = shifted(panel, arguments.fits, arguments.lives)
    arguments.out.write_text(text, encoding="utf-8")
    print(text)


def shifted(panel: Ballots, fits: int, lives: int) -> str:
    """Error of accepted answers and audits until the monitor revokes, by share of the worst domains in traffic."""
    errors: dict[float, list[float]] = {share: [] for share in SHARES}
    waits: dict[float, list[float]] = {share: [] for share in SHARES}
    rng = np.random.default_rng(0)
    for number in range(fits):
        fit_rows, rest_rows = split(panel, Setup(FIT), number)
        rest = panel.take(rest_rows)
        population = trials.population(panel.take(fit_rows), rest)
        accepted = _certified(population, rng)
        if accepted is None:
            continue
        hard = _worst(rest, population, accepted)
        for share in SHARES:
            weights = _mixed(accepted, hard, share)
            errors[share].append(float((weights * population.wrong).sum()))
            drawn = rng.choice(len(weights), (lives, AUDITS), p=weights)
            waits[share] += _revoked_after(population.wrong[drawn]).tolist()
    return _told(errors, waits, lives)


def _certified(population: trials.Population, rng: np.random.Generator) -> NDArray[np.bool_] | None:
    """What a certificate accepts of the set, bool (n,); None where there is none."""
    rows = rng.integers(0, len(population.scores), 40 * (LABELS - FIT))
    scores, wrong = population.scores[rows], population.wrong[rows]
    fixed = plan(scores, alpha=ALPHA, delta=0.05, budget=LABELS - FIT)
    threshold = walk(fixed, scores, wrong).threshold
    return None if threshold is None else population.scores >= threshold


def _worst(rest: Ballots, population: trials.Population, accepted: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Bool (n,): rows of the domains in which accepted answers are wrong most often."""
    domains = np.array(rest.domains)
    rates = {name: population.wrong[accepted & (domains == name)].mean() for name in set(domains[accepted].tolist())}
    worst = sorted(rates, key=lambda name: -rates[name])[:WORST]
    return np.isin(domains, worst)


def _mixed(accepted: NDArray[np.bool_], hard: NDArray[np.bool_], share: float) -> Floats:
    """Probability of each row among accepted traffic, when a further share of it comes from the worst domains."""
    usual = accepted / accepted.sum()
    moved = (accepted & hard) / max(1, (accepted & hard).sum())
    return np.asarray((1 - share) * usual + share * moved, dtype=np.float64)


def _revoked_after(wrong: Floats) -> Floats:
    """Float (lives,): audits until the monitor revokes; infinity where it does not within `AUDITS`."""
    bets = monitor._FRACTIONS / ALPHA
    errors = np.cumsum(wrong, axis=1)[:, :, None]
    m = np.arange(1, wrong.shape[1] + 1)[None, :, None]
    logs = errors * np.log1p(bets * (1 - ALPHA)) + (m - errors) * np.log1p(-bets * ALPHA)
    over = np.logaddexp.reduce(logs, axis=2) - math.log(len(bets)) >= -math.log(DELTA)
    return np.where(over.any(axis=1), over.argmax(axis=1) + 1.0, np.inf)


def _told(errors: dict[float, list[float]], waits: dict[float, list[float]], lives: int) -> str:
    rows = []
    for share in SHARES:
        found = np.array(waits[share])
        middle = float(np.median(found))
        seen = f"{middle:.0f}" if math.isfinite(middle) else f"> {AUDITS}"
        revoked = [float((found <= audits).mean()) for audits in (130, 500, AUDITS)]
        cells = " | ".join(f"{part:.2f}" for part in revoked)
        rows.append(f"| {share:g} | {np.mean(errors[share]):.3f} | {seen} | {cells} |")
    return "\n".join([
        "# Certificates when traffic changes", "",
        "Regenerated by `python benchmarks/certificates.py`. Five families on MMLU-Pro, "
        f"α = {ALPHA:g}, {LABELS} labels of which {FIT} are fitted on; {len(errors[0.0])} certificates, {lives} lives "
        "of the monitor each. A certificate says nothing about such traffic: it speaks of the mix of its archive, "
        "stays as it is, and the monitor on random blind audits of accepted answers withdraws it. At an audit rate of "
        "2 %, 100 audits are 5,000 accepted requests.", "",
        f"| share of traffic moved to the {WORST} worst domains | error of accepted answers | audits to revocation, "
        f"median | revoked within 130 | 500 | {AUDITS:,} |", "|---|---|---|---|---|---|", *rows, "",
    ])  # fmt: skip


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/certificates.md"))
    parser.add_argument("--fits", type=int, default=6)
    parser.add_argument("--lives", type=int, default=400)
    return parser.parse_args()


if __name__ == "__main__":
    main()
