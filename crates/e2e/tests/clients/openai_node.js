// The `openai` package of Node.js.

const assert = require("node:assert/strict");
const { setTimeout } = require("node:timers/promises");
const OpenAI = require("openai");

const address = process.argv[2];
const client = new OpenAI({ baseURL: `${address}/v1`, apiKey: "none", maxRetries: 0 });
const messages = [{ role: "user", content: "Say hello." }];

async function busy() {
  const answer = await fetch(`${address}/upstream/m/slots`);
  const [slot] = await answer.json();
  return slot.is_processing;
}

const steps = {
  async listsModels() {
    const names = [];
    for await (const model of client.models.list()) names.push(model.id);
    assert.deepEqual(names.sort(), ["m", "other"]);
  },

  async chats() {
    const answer = await client.chat.completions.create({ model: "m", messages, max_tokens: 8 });
    assert.equal(answer.model, "m");
    assert.ok(answer.choices[0].message.content);
    assert.ok(answer._request_id, "x-request-id is not there");
  },

  async streams() {
    const question = { model: "m", messages, max_tokens: 8, stream: true };
    const pieces = [];
    for await (const piece of await client.chat.completions.create(question)) {
      pieces.push(piece.choices[0]?.delta.content ?? "");
    }
    assert.ok(pieces.length > 3 && pieces.join(""), `${pieces}`);
  },

  async embedsWithTheOtherModel() {
    const answer = await client.embeddings.create({ model: "other", input: ["one", "two"] });
    const [one, two] = answer.data.map((item) => item.embedding);
    assert.ok(one.length > 100 && one.length === two.length);
    assert.notDeepEqual(one, two);
  },

  async aStreamThatIsAbortedFreesItsSlot() {
    const question = { model: "m", messages, stream: true, ignore_eos: true };
    const stream = await client.chat.completions.create(question);
    for await (const _ of stream) {
      assert.ok(await busy());
      stream.controller.abort();
      break;
    }
    const limit = Date.now() + 10_000;
    while (await busy()) {
      assert.ok(Date.now() < limit, "the slot is still at work");
      await setTimeout(10);
    }
  },

  async anUnknownModelIsNotFound() {
    const asked = client.chat.completions.create({ model: "mm", messages });
    await assert.rejects(asked, (error) => {
      assert.ok(error instanceof OpenAI.NotFoundError, error);
      assert.match(error.message, /there is no model 'mm' here; configured: m, other/);
      assert.equal(error.code, "unknown_model");
      return true;
    });
  },
};

async function main() {
  for (const [name, step] of Object.entries(steps)) {
    console.log(name);
    await step();
  }
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
