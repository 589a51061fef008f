# Hosts without a card, for rehearsals: llama.cpp is built for the CPU. All keys: all.py.

backend = "cpu"
gpu_layers = 0
