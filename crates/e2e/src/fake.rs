//! `fake-llama-server`: a stand-in for `llama-server` that a test can rely on.
//!
//! A real process that speaks the protocol of llama.cpp's server as release b11434 speaks it:
//! routes, response heads, streams, connection limits, slots, log lines, events to a router,
//! signals and exit codes. What it says is made up: "token 1 token 2 …", a byte is a token.
//! It has a thread for each connection and none of the real one's speed.
//!
//! # Command line
//!
//! Flags of the real server are accepted; those that matter are `-m`, `-a`, `--host`, `--port`,
//! `-np`, `-c`, `--api-prefix`, `--embeddings` and `--metrics`. Without `-m` no file is looked at;
//! with it, one that is missing, a directory or no GGUF fails as in the real server. A flag that
//! starts with `--no-such` is refused. Its own switches:
//!
//! | switch | what it does |
//! |---|---|
//! | `--fake-load-ms N` | the load takes that long; the listener is up at once and answers 503 |
//! | `--fake-slow-accept-ms N` | the listener appears later |
//! | `--fake-token-ms N` | the pace of tokens; 0, the default, is a burst |
//! | `--fake-word TEXT` | what each token says, before its number (`token`) |
//! | `--fake-reasoning N` | the first N tokens of a streamed chat are `reasoning_content` |
//! | `--fake-tokens N` | tokens of an answer whose request sets no limit (16) |
//! | `--fake-hold FILE` | an answer's last token waits until the file exists |
//! | `--fake-hold-load FILE` | the load does not end before the file exists |
//! | `--fake-log-flood N` | N bytes of log a second on stderr |
//! | `--fake-die POINT:HOW` | dies at `start`, `loading`, `ready`, `first-request`, `head`, `mid-stream:N` (after N token events) or `idle-ms:N`, by `exit0`, `exit1`, `kill`, `segv` or `abort` |
//! | `--fake-fail KIND` | fails as the real one does: `missing-file`, `bad-file`, `out-of-memory`, `bad-flag`, `port-in-use`, `missing-library`, `illegal-instruction`, `assert`, `disk-full`, `too-many-files`, `too-many-processes` |
//! | `--fake-compute-error WHAT` | inference is answered with 500: all of it once a request has come while a file existed (`lost:FILE`), prompts with a word in them (`prompt:WORD`), or `completions` |
//! | `--fake-hang WHERE` | never answers: `ready` (nothing, from the end of the load on), `request` (what needs inference), `stream` (after a stream's first event) |
//! | `--fake-impersonate MODEL` | keeps binding, and replacing, the sockets of that model's children, and answers there |
//! | `--fake-ignore-term` | SIGTERM does nothing, ever |
//! | `--fake-no-event` | no events on stdout, and stdin is not obeyed |
//!
//! Asked for `--list-devices` it names those of `FAKE_DEVICES` (`CUDA0=24000,CUDA1=12000`, in MiB), and hangs
//! for ever where `FAKE_ASKED_HANGS` is set.
//!
//! # Test aids
//!
//! They answer while the model loads too, and do not count as requests.
//!
//! | route | what it does |
//! |---|---|
//! | `/__fake/echo` | answers with the bytes of the request, head and body, framing included |
//! | `/__fake/respond` | writes the request's (unchunked) body to the wire instead of an answer; with `x-fake-close: 1` in the request the connection then ends |
//! | `/__fake/state` | JSON: `pid`, `connections_open`, `requests_served`, `requests_running`, `streams_open`, `generations_running`, `generations_deferred`, `stream_bytes` (taken by the sockets of the streams that are open) |
//! | `/__fake/loot` | JSON: `connections` to the sockets that were taken, what was `sent` there |
//! | `/__fake/try?WHAT=VALUE` | JSON: `errno`, what the system says (null: it is done) to `read=PATH`, `write=PATH`, `run=PROGRAM`, `connect=HOST:PORT`, `bind=HOST:PORT`, `abstract=NAME` (connect to that socket), `signal=PID` (signal 0) |
//! | `/__fake/die/HOW` | dies, in a way of `--fake-die`, or by `out-of-memory` |
//! | `/__fake/flood/SECONDS` | writes log lines for that long, as fast as they are read, then answers with JSON: `lines`, `bytes` |
//! | `/__fake/hang` | from now on nothing is answered and nothing goes on |
//! | `/__fake/stall-stream` | a stream of 64 KiB events as fast as the client takes them |
//! | `/__fake/pushed-stream` | a stream with an event, `data: N`, for each later request to `/__fake/push` |
//! | `/__fake/push` | makes every such stream send an event |

pub mod args;
mod asked;
mod attempt;
pub mod compute_error;
pub mod die;
pub mod failures;

mod aids;
mod body;
mod clock;
mod connection;
mod counters;
mod dialect;
mod events;
mod exit;
mod generate;
mod impostor;
mod info;
mod job;
mod json;
mod life;
mod log;
mod net;
mod request;
mod response;
mod results;
mod routes;
mod server;
mod signals;
mod slots;

pub use life::run;
