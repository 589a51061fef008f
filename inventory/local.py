# This machine itself, without SSH:  llamarig up inventory/local.py
# For a machine without a card: move the host to the group cpu, so that group_data/cpu.py holds.

rtx4090 = ["@local"]
