"""The `openai` package of Python."""

import asyncio
import json

import openai
from pydantic import BaseModel
from typing import Literal

from support import ADDRESS, CHAT, CITY, HELLO, OTHER, SCHEMA
from support import busy, expect, refused, run, unknown_model, wait_idle

SETTINGS = {"base_url": f"{ADDRESS}/v1", "api_key": "none", "max_retries": 0}
client = openai.OpenAI(**SETTINGS)

# Goes on for as long as its context lasts: longer than anything here waits.
ENDLESS = {
    "model": CHAT,
    "messages": HELLO,
    "stream": True,
    "extra_body": {"ignore_eos": True},
}


def lists_models():
    expect(sorted(model.id for model in client.models.list()), [CHAT, OTHER])
    expect(client.models.retrieve(CHAT).id, CHAT)


def chats():
    answer = client.chat.completions.create(model=CHAT, messages=HELLO, max_tokens=8)
    expect(answer.model, CHAT)
    assert answer.choices[0].message.content
    assert 0 < answer.usage.completion_tokens <= 8
    assert answer._request_id, "x-request-id is not there"


def streams():
    stream = client.chat.completions.create(
        model=CHAT,
        messages=HELLO,
        max_tokens=8,
        stream=True,
        stream_options={"include_usage": True},
    )
    *pieces, last = stream
    assert len(pieces) > 3, pieces
    assert "".join(piece.choices[0].delta.content or "" for piece in pieces)
    assert 0 < last.usage.completion_tokens <= 8


def completes():
    answer = client.completions.create(model=CHAT, prompt="Horses are", max_tokens=4)
    assert answer.choices[0].text


def responds():
    answer = client.responses.create(model=CHAT, input="Say hello.", max_output_tokens=8)
    assert answer.output_text
    stream = client.responses.create(
        model=CHAT, input="Say hello.", max_output_tokens=8, stream=True
    )
    events = [event.type for event in stream]
    expect(events[0], "response.created")
    expect(events[-1], "response.completed")


def embeds_with_the_other_model():
    answer = client.embeddings.create(model=OTHER, input=["one", "two"])
    one, two = (item.embedding for item in answer.data)
    assert len(one) == len(two) > 100 and one != two


def is_told_where_the_engine_does_not_embed():
    call = lambda: client.embeddings.create(model=CHAT, input="one")
    error = refused(openai.InternalServerError, call)
    expect(error.status_code, 501)
    assert "does not support embeddings" in error.message, error.message


def calls_tools():
    weather = {"type": "object", "properties": {"city": CITY}, "required": ["city"]}
    answer = client.chat.completions.create(
        model=OTHER,
        messages=[{"role": "user", "content": "What is the weather in Paris?"}],
        tools=[{"type": "function", "function": {"name": "weather", "parameters": weather}}],
        tool_choice="required",
        parallel_tool_calls=False,
        max_tokens=64,
    )
    choice = answer.choices[0]
    expect(choice.finish_reason, "tool_calls")
    (call,) = choice.message.tool_calls
    expect(call.function.name, "weather")
    assert json.loads(call.function.arguments)["city"] in CITY["enum"]


def is_held_to_a_schema():
    answer = client.chat.completions.create(
        model=CHAT,
        messages=HELLO,
        max_tokens=64,
        response_format={
            "type": "json_schema",
            "json_schema": {"name": "weather", "schema": SCHEMA, "strict": True},
        },
    )
    said = json.loads(answer.choices[0].message.content)
    expect(sorted(said), ["city", "sunny"])
    assert said["city"] in CITY["enum"], said


class Weather(BaseModel):
    city: Literal["Paris", "Rome"]
    sunny: bool


def parses_into_a_type():
    answer = client.chat.completions.parse(
        model=CHAT, messages=HELLO, max_tokens=64, response_format=Weather
    )
    assert isinstance(answer.choices[0].message.parsed, Weather)


def a_stream_that_is_closed_frees_its_slot():
    with client.chat.completions.create(**ENDLESS) as stream:
        next(iter(stream))
        assert busy()
    wait_idle()


def a_task_that_is_cancelled_frees_its_slot():
    async def reads(begun):
        async with openai.AsyncOpenAI(**SETTINGS) as client:
            async for _ in await client.chat.completions.create(**ENDLESS):
                begun.set()

    async def cancels():
        begun = asyncio.Event()
        task = asyncio.create_task(reads(begun))
        await begun.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(cancels())
    wait_idle()


def an_unknown_model_is_not_found():
    call = lambda: client.chat.completions.create(model="mm", messages=HELLO)
    error = refused(openai.NotFoundError, call)
    unknown_model(error)
    expect(error.code, "unknown_model")
    expect(error.response.headers["x-paddock-error"], "unknown_model")
    refused(openai.NotFoundError, lambda: client.models.retrieve("mm"))


def two_models_have_one_address():
    for name in [CHAT, CHAT, OTHER]:
        answer = client.completions.create(model=name, prompt="a", max_tokens=1)
        expect(answer.model, name)


run(
    lists_models,
    chats,
    streams,
    completes,
    responds,
    embeds_with_the_other_model,
    is_told_where_the_engine_does_not_embed,
    calls_tools,
    is_held_to_a_schema,
    parses_into_a_type,
    a_stream_that_is_closed_frees_its_slot,
    a_task_that_is_cancelled_frees_its_slot,
    an_unknown_model_is_not_found,
    two_models_have_one_address,
)
