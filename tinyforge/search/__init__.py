"""Search of network architectures whose inference schedule is part of the candidate."""
