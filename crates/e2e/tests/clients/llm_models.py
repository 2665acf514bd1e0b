"""The command `llm` with models that a file names, by their addresses."""

import json
import os
import sys
from pathlib import Path
from subprocess import run as start

from support import ADDRESS, CHAT, OTHER, expect, run

LLM = Path(sys.executable).with_name("llm")
HOME = Path(os.environ["HOME"], "llm")
FEW = ["-o", "max_tokens", "8"]


def llm(*words):
    environment = os.environ | {"LLM_USER_PATH": str(HOME), "OPENAI_API_KEY": "none"}
    return start([LLM, *words], capture_output=True, text=True, env=environment)


def said(*words):
    done = llm(*words)
    expect((done.returncode, done.stderr), (0, ""))
    return done.stdout


def lists_models():
    HOME.mkdir()
    models = [
        {"model_id": f"paddock-{name}", "model_name": name, "api_base": f"{ADDRESS}/v1"}
        for name in [CHAT, OTHER, "mm"]
    ]
    # YAML takes JSON.
    (HOME / "extra-openai-models.yaml").write_text(json.dumps(models))
    assert f"paddock-{CHAT}" in said("models")


def chats_with_two_models():
    for name in [CHAT, OTHER]:
        assert said("-m", f"paddock-{name}", "Say hello.", "--no-stream", *FEW).strip()


def streams():
    assert said("-m", f"paddock-{CHAT}", "Say hello.", *FEW).strip()


def an_unknown_model_is_not_found():
    done = llm("-m", "paddock-mm", "Hello")
    expect((done.returncode, done.stdout.strip()), (1, ""))
    assert "404" in done.stderr and "there is no model 'mm' here" in done.stderr, done.stderr


run(lists_models, chats_with_two_models, streams, an_unknown_model_is_not_found)
