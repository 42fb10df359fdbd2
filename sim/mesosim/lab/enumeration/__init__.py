"""Enumeration of faults: every Board call of a workload x every kind that fits, every cut of power."""
