"""The command `llm` with `llm-llama-server`, which asks http://localhost:8080/v1."""

import os
import sys
from pathlib import Path
from subprocess import run as start

LLM = Path(sys.executable).with_name("llm")


def llm(*words):
    environment = os.environ | {"OPENAI_API_KEY": "none"}
    done = start([LLM, *words], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def lists_models():
    assert "llama-server: llama-server\n" in llm("models"), llm("models")


def chats():
    said = llm("-m", "llama-server", "Say hello.", "-o", "max_tokens", "8", "--no-stream")
    assert said.strip()


def streams():
    assert llm("-m", "llama-server", "Say hello.", "-o", "max_tokens", "8").strip()
    logged = llm("logs", "--json", "-n", "1")
    assert '"finish_reason"' in logged, logged


for step in [lists_models, chats, streams]:
    print(step.__name__, flush=True)
    step()
