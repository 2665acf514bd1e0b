// Server-sent events out of an answer's body, as they come. `heard` is told of every piece, comments
// included: a stream that is silent can so be told from one that has nothing to say.

export async function* events(body, heard = () => {}) {
  let event = "message";
  let data = [];
  for await (const line of lines(body, heard)) {
    if (line === "") {
      if (data.length > 0) yield { event, data: data.join("\n") };
      event = "message";
      data = [];
    } else if (line.startsWith("data:")) {
      data.push(line.slice(line[5] === " " ? 6 : 5));
    } else if (line.startsWith("event:")) {
      event = line.slice(6).trim();
    }
  }
}

/** The lines of a body, without their ends. */
export async function* lines(body, heard = () => {}) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      heard();
      const whole = (rest + value).split("\n");
      rest = whole.pop();
      for (const line of whole) yield line.endsWith("\r") ? line.slice(0, -1) : line;
    }
    if (rest !== "") yield rest;
  } finally {
    reader.cancel().catch(() => {});
  }
}
