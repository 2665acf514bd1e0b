//! Defines the examples that each command's `--help` prints last.

pub(super) const PADDOCK: &str = "\
Examples:
  paddock serve --model model.gguf        serve one model at http://127.0.0.1:8080
  paddock serve --models-dir ~/models     serve every model below a directory
  paddock wrap -- llama-server -m x.gguf  supervise an existing command
  paddock status                          show models, queues and memory
  paddock chat gemma 'Hello!'             chat with a model
  paddock config example > paddock.toml   write an example configuration file";

pub(super) const SERVE: &str = "\
Examples:
  paddock serve --model model.gguf
  paddock serve --model gemma=gemma-3-270m.gguf --model qwen=qwen3-8b.gguf
  paddock serve --models-dir ~/models --listen 127.0.0.1:9000
  paddock serve --config /etc/paddock/paddock.toml";

pub(super) const WRAP: &str = "\
Examples:
  paddock wrap -- llama-server -m model.gguf --port 9000
  paddock wrap -- nice -n 5 llama-server -m model.gguf --port 9000
  paddock wrap --sandbox auto -- llama-server -m model.gguf
  paddock wrap --admin 127.0.0.1:9001 -- llama-server -hf org/model-GGUF";

pub(super) const CHECK: &str = "\
Examples:
  paddock check
  paddock check --config /etc/paddock/paddock.toml
  paddock check --json";

pub(super) const CONFIG: &str = "\
Examples:
  paddock config example > paddock.toml
  paddock config schema > paddock.schema.json";

pub(super) const INSPECT: &str = "\
Examples:
  paddock inspect model.gguf
  paddock inspect model.gguf --context 32768 --parallel 4 --cache-type-k q8_0 --cache-type-v q8_0
  paddock inspect model.gguf --json";

pub(super) const STATUS: &str = "\
Examples:
  paddock status
  paddock ps
  paddock status gemma
  paddock status --json
  paddock status --admin unix:/run/paddock/admin.sock";

pub(super) const TOP: &str = "\
Examples:
  paddock top
  paddock top --admin unix:/run/paddock/admin.sock";

pub(super) const CHAT: &str = "\
Examples:
  paddock chat gemma
  paddock chat gemma 'Why is the sky blue?' --system 'Answer in one sentence.'
  paddock chat gemma 'What is this?' --image photo.jpg
  paddock chat gemma 'What does it say?' < report.txt
  paddock chat gemma - --json < question.txt";

pub(super) const LOAD: &str = "\
Examples:
  paddock load gemma
  paddock load gemma --wait
  paddock load gemma --wait --json";

pub(super) const UNLOAD: &str = "\
Examples:
  paddock unload gemma
  paddock unload gemma --wait";

pub(super) const PIN: &str = "\
Examples:
  paddock pin gemma
  paddock pin gemma --json";

pub(super) const UNPIN: &str = "\
Examples:
  paddock unpin gemma";

pub(super) const EXPLAIN: &str = "\
Examples:
  paddock explain gemma
  paddock explain 0198f2c4 --json";

pub(super) const LOGS: &str = "\
Examples:
  paddock logs gemma
  paddock logs gemma --follow -n 20
  paddock logs gemma --follow --json";

pub(super) const REQUESTS: &str = "\
Examples:
  paddock requests
  paddock requests --follow --model gemma
  paddock requests -n 1000 --json";

pub(super) const KEY: &str = "\
Examples:
  paddock key new laptop --write
  paddock key list
  paddock key revoke laptop";

pub(super) const KEY_NEW: &str = "\
Examples:
  paddock key new laptop                            print the secret and the section for the file
  paddock key new ci --model gemma --write          add the section to the file
  paddock key new guest --expires 90d --write       set the key to expire after 90 days
  paddock key new ops --allow admin --write
  paddock key new prometheus --allow metrics --write > token";

pub(super) const KEY_LIST: &str = "\
Examples:
  paddock key list
  paddock key list --json";

pub(super) const KEY_REVOKE: &str = "\
Examples:
  paddock key revoke laptop
  paddock key revoke laptop --config /etc/paddock/paddock.toml";

pub(super) const COMPLETIONS: &str = "\
Examples:
  paddock completions bash > /usr/share/bash-completion/completions/paddock
  paddock completions zsh > ~/.zfunc/_paddock
  paddock completions fish > ~/.config/fish/completions/paddock.fish";

pub(super) const VERSION: &str = "\
Examples:
  paddock version
  paddock version --json
  paddock version --check";

pub(super) const PULL: &str = "\
Examples:
  paddock pull hf:ggml-org/gemma-3-4b-it-GGUF
  paddock pull hf:ggml-org/gemma-3-4b-it-GGUF:Q4_K_M
  paddock pull https://example.com/model.gguf
  paddock pull --json hf:ggml-org/gemma-3-4b-it-GGUF:Q4_K_M
  paddock pull";

pub(super) const MODELS: &str = "\
Examples:
  paddock models
  paddock models --json";

pub(super) const RM: &str = "\
Examples:
  paddock rm hf:ggml-org/gemma-3-4b-it-GGUF:Q4_K_M --yes";

pub(super) const RUN: &str = "\
Examples:
  paddock run hf:ggml-org/gemma-3-4b-it-GGUF
  paddock run hf:ggml-org/gemma-3-4b-it-GGUF:Q8_0 'Why is the sky blue?'
  paddock run gemma 'What does it say?' < report.txt";

pub(super) const ENGINE: &str = "\
Examples:
  paddock engine install
  paddock engine list";

pub(super) const ENGINE_LIST: &str = "\
Examples:
  paddock engine list
  paddock engine list --available
  paddock engine list --json";

pub(super) const ENGINE_INSTALL: &str = "\
Examples:
  paddock engine install
  paddock engine install b11434 --backend cpu
  paddock engine install b11434 --backend vulkan --no-use";

pub(super) const ENGINE_USE: &str = "\
Examples:
  paddock engine use b11434-vulkan";

pub(super) const ENGINE_REMOVE: &str = "\
Examples:
  paddock engine remove b11434";

pub(super) const ENGINE_BUILD: &str = "\
Examples:
  paddock engine build
  paddock engine build b11434 --backend cuda
  paddock engine build --source ~/llama.cpp --jobs 4";

pub(super) const DOCTOR: &str = "\
Examples:
  paddock doctor
  paddock doctor --json";
