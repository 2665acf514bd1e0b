"""The `anthropic` package of Python."""

import anthropic

from support import ADDRESS, CHAT, CITY, HELLO, OTHER
from support import expect, refused, run, unknown_model

client = anthropic.Anthropic(base_url=ADDRESS, api_key="none", max_retries=0)


def lists_models():
    expect(sorted(model.id for model in client.models.list()), [CHAT, OTHER])


def chats():
    answer = client.messages.create(model=CHAT, messages=HELLO, max_tokens=8)
    expect(answer.model, CHAT)
    expect(answer.content[0].type, "text")
    assert answer.content[0].text
    assert 0 < answer.usage.output_tokens <= 8


def streams():
    with client.messages.stream(model=CHAT, messages=HELLO, max_tokens=8) as stream:
        pieces = list(stream.text_stream)
        whole = stream.get_final_message()
    assert len(pieces) > 3, pieces
    expect("".join(pieces), whole.content[0].text)


def counts_tokens():
    assert client.messages.count_tokens(model=CHAT, messages=HELLO).input_tokens > 2


def calls_tools():
    weather = {"type": "object", "properties": {"city": CITY}, "required": ["city"]}
    answer = client.messages.create(
        model=OTHER,
        messages=[{"role": "user", "content": "What is the weather in Paris?"}],
        tools=[{"name": "weather", "input_schema": weather}],
        tool_choice={"type": "any"},
        max_tokens=40,
    )
    # So small a model calls until it may say no more.
    call = next(part for part in answer.content if part.type == "tool_use")
    expect(call.name, "weather")
    assert call.input["city"] in CITY["enum"], call


def an_unknown_model_is_not_found():
    call = lambda: client.messages.create(model="mm", messages=HELLO, max_tokens=8)
    error = refused(anthropic.NotFoundError, call)
    unknown_model(error)
    expect(error.response.headers["x-paddock-error"], "unknown_model")


def two_models_have_one_address():
    for name in [CHAT, OTHER]:
        answer = client.messages.create(model=name, messages=HELLO, max_tokens=1)
        expect(answer.model, name)


run(
    lists_models,
    chats,
    streams,
    counts_tokens,
    calls_tools,
    an_unknown_model_is_not_found,
    two_models_have_one_address,
)
