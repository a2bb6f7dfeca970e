"""Arbiters: models that share no family with the disputants and see the dispute blind.

dispute ► eligibility ► prompt (sanitised) ► both orders of every pair ► decision read by code ► tally ► arbitration
"""

from arbiters.judge import Bench, build

__all__ = ["Bench", "build"]
