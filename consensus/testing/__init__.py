"""The oracle: what a run of the service left behind, held against the invariants I1 to I6. For tests only."""
