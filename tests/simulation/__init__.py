"""A deterministic simulation: the real steps and the real state machine, with faults at every call."""
