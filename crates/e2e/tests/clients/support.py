"""What the scripts beside it share. Each is given paddock's address, and names each step."""

import json
import sys
import time
import urllib.request

ADDRESS = sys.argv[1]
CHAT = "m"
OTHER = "other"
HELLO = [{"role": "user", "content": "Say hello."}]

# A grammar holds even a small model to these.
CITY = {"type": "string", "enum": ["Paris", "Rome"]}
SCHEMA = {
    "type": "object",
    "properties": {"city": CITY, "sunny": {"type": "boolean"}},
    "required": ["city", "sunny"],
    "additionalProperties": False,
}


def run(*steps):
    for step in steps:
        print(step.__name__, flush=True)
        step()


def expect(seen, wanted):
    assert seen == wanted, f"{seen!r} is not {wanted!r}"


def busy():
    """Whether the chat model's one slot is at work, as the engine itself says."""
    with urllib.request.urlopen(f"{ADDRESS}/upstream/{CHAT}/slots", timeout=10) as answer:
        (slot,) = json.load(answer)
    return slot["is_processing"]


def wait_idle():
    limit = time.monotonic() + 10
    while busy():
        assert time.monotonic() < limit, "the slot is still at work"
        time.sleep(0.01)


def unknown_model(error):
    """What every client's own error for a model that is not there has to say."""
    text = str(error)
    assert "there is no model 'mm' here; configured: m, other" in text, text


def refused(kind, call):
    """The error of this kind that the call ends with."""
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__}")
