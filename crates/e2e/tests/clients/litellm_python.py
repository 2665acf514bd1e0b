"""LiteLLM."""

import os

# It asks other hosts for prices otherwise.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm

from support import ADDRESS, CHAT, HELLO, OTHER
from support import expect, refused, run, unknown_model

litellm.telemetry = False
litellm.suppress_debug_info = True
SETTINGS = {"api_base": f"{ADDRESS}/v1", "api_key": "none", "max_retries": 0}


def lists_models():
    names = litellm.get_valid_models(
        check_provider_endpoint=True,
        custom_llm_provider="openai",
        api_key="none",
        api_base=ADDRESS,
    )
    expect(sorted(names), [CHAT, OTHER])


def chats():
    answer = litellm.completion(
        model=f"openai/{CHAT}", messages=HELLO, max_tokens=8, **SETTINGS
    )
    assert answer.choices[0].message.content
    assert 0 < answer.usage.completion_tokens <= 8


def streams():
    stream = litellm.completion(
        model=f"openai/{CHAT}", messages=HELLO, max_tokens=8, stream=True, **SETTINGS
    )
    pieces = [piece.choices[0].delta.content or "" for piece in stream]
    assert len(pieces) > 3 and "".join(pieces), pieces


def embeds_with_the_other_model():
    answer = litellm.embedding(model=f"openai/{OTHER}", input=["one", "two"], **SETTINGS)
    one, two = (item["embedding"] for item in answer.data)
    assert len(one) == len(two) > 100 and one != two


def speaks_to_it_as_to_anthropic():
    answer = litellm.completion(
        model=f"anthropic/{CHAT}",
        messages=HELLO,
        max_tokens=8,
        api_base=ADDRESS,
        api_key="none",
    )
    assert answer.choices[0].message.content


def an_unknown_model_is_not_found():
    call = lambda: litellm.completion(model="openai/mm", messages=HELLO, **SETTINGS)
    unknown_model(refused(litellm.NotFoundError, call))


run(
    lists_models,
    chats,
    streams,
    embeds_with_the_other_model,
    speaks_to_it_as_to_anthropic,
    an_unknown_model_is_not_found,
)
