# Hosts with an RTX 4090 (24 GB): the walkthrough's card. The recipe in all.py is already its
# recipe, so only what depends on the card stands here. All keys: all.py.

backend = "cuda"
cuda_architecture = 89
# context = 49152  # tokens: the most that the walkthrough's model and its q8_0 cache may take
