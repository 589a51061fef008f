"""A rollout over several hosts: who goes when, what becomes of it. It reaches no host itself."""
