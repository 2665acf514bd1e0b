"""LangChain, by its `langchain-openai`."""

import openai
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

from support import ADDRESS, CHAT, CITY, OTHER, SCHEMA
from support import expect, refused, run, unknown_model

SETTINGS = {"base_url": f"{ADDRESS}/v1", "api_key": "none", "max_retries": 0}


def model(name, **more):
    return ChatOpenAI(model=name, **SETTINGS, **({"max_tokens": 8} | more))


def chats():
    answer = model(CHAT).invoke("Say hello.")
    assert answer.content
    expect(answer.response_metadata["model_name"], CHAT)
    assert answer.usage_metadata["output_tokens"] > 0


def streams():
    pieces = list(model(CHAT).stream("Say hello."))
    assert len(pieces) > 3, pieces
    assert "".join(piece.content for piece in pieces)


def embeds_with_the_other_model():
    # Unless it is told otherwise it sends the tokens of OpenAI's own tokenizer.
    embedder = OpenAIEmbeddings(model=OTHER, check_embedding_ctx_length=False, **SETTINGS)
    one, two = embedder.embed_documents(["one", "two"])
    assert len(one) == len(two) > 100 and one != two


def calls_tools():
    @tool
    def now() -> str:
        """Says what time it is."""
        return "12:00"

    caller = model(OTHER, max_tokens=64)
    caller = caller.bind_tools([now], tool_choice="required", parallel_tool_calls=False)
    answer = caller.invoke("What time is it?")
    expect([call["name"] for call in answer.tool_calls], ["now"])


def is_held_to_a_schema():
    weather = {"title": "weather", "description": "A city's weather."} | SCHEMA
    said = model(CHAT, max_tokens=64)
    said = said.with_structured_output(weather, method="json_schema").invoke("Rome?")
    assert said["city"] in CITY["enum"], said


def an_unknown_model_is_not_found():
    unknown_model(refused(openai.NotFoundError, lambda: model("mm").invoke("Hello")))


run(
    chats,
    streams,
    embeds_with_the_other_model,
    calls_tools,
    is_held_to_a_schema,
    an_unknown_model_is_not_found,
)
