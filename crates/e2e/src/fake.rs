//! Implements `fake-llama-server`, which takes the place of `llama-server` in tests and is
//! deterministic.
//!
//! The program speaks the protocol of llama.cpp's server, release b11434: routes, response heads,
//! streams, connection limits, slots, log lines, router events, signals and exit codes. The
//! generated text is made up ("token 1 token 2 …"), and each byte of a prompt counts as a token.
//! Each connection has a thread; speed is not a goal.
//!
//! # Command line
//!
//! Flags of the real server are accepted; the relevant ones are `-m`, `-a`, `--host`, `--port`,
//! `-np`, `-c`, `--api-prefix`, `--embeddings`, `--metrics` and `--slot-save-path`. Prompts are cached only with
//! `--slot-save-path`. With `-m`, a file that is missing,
//! a directory or not GGUF fails as in the real server; without it no file is checked. A flag that
//! starts with `--no-such` is refused. Additional switches:
//!
//! | switch | effect |
//! |---|---|
//! | `--fake-load-ms N` | the load takes N ms; the listener starts at once and answers 503 |
//! | `--fake-slow-accept-ms N` | the listener starts N ms later |
//! | `--fake-token-ms N` | the pace of tokens; 0, the default, is a burst |
//! | `--fake-word TEXT` | the text of each token, before its number (`token`) |
//! | `--fake-reasoning N` | the first N tokens of a streamed chat are `reasoning_content` |
//! | `--fake-tokens N` | tokens of a response without a limit in the request (16) |
//! | `--fake-hold FILE` | holds back the last token of a response until the file exists |
//! | `--fake-hold-load FILE` | delays the end of the load until the file exists |
//! | `--fake-read-ms N` | reports N ms for each prompt token that is read, without taking this time |
//! | `--fake-slot-fail HOW` | fails saves without writing a file (`save`) or after half of it (`enospc`), never answers them (`hang`), writes half of the file and reports success (`truncate`), or refuses restores (`restore`) |
//! | `--fake-log-flood N` | writes N bytes of log per second to stderr |
//! | `--fake-die POINT:HOW` | crashes or exits at `start`, `loading`, `ready`, `first-request`, `head`, `mid-stream:N` (after N token events) or `idle-ms:N`, by `exit0`, `exit1`, `kill`, `segv` or `abort` |
//! | `--fake-fail KIND` | fails like the real server: `missing-file`, `bad-file`, `out-of-memory`, `bad-flag`, `port-in-use`, `missing-library`, `illegal-instruction`, `assert`, `disk-full`, `too-many-files`, `too-many-processes` |
//! | `--fake-compute-error WHAT` | answers inference with 500: every request from the first one that arrives while a file exists (`lost:FILE`), prompts that contain a word (`prompt:WORD`), or `completions` |
//! | `--fake-hang WHERE` | never answers: `ready` (any request after the load), `request` (requests that need inference), `stream` (after a stream's first event) |
//! | `--fake-impersonate MODEL` | keeps replacing the sockets of that model's children and answers there |
//! | `--fake-ignore-term` | ignores SIGTERM |
//! | `--fake-no-event` | writes no events to stdout and reads no commands from stdin |
//!
//! `--list-devices` prints the devices in `FAKE_DEVICES` (`CUDA0=24000,CUDA1=12000`, in MiB), and
//! hangs forever if `FAKE_ASKED_HANGS` is set. `--help` lists `--slot-save-path` only if `FAKE_SAVES_SLOTS` is set.
//!
//! # Test aids
//!
//! These routes also answer while the model loads, and do not count as requests.
//!
//! | route | effect |
//! |---|---|
//! | `/__fake/echo` | answers with the bytes of the request, head and body, framing included |
//! | `/__fake/respond` | sends the request's (unchunked) body as the response; `x-fake-close: 1` in the request then closes the connection |
//! | `/__fake/state` | JSON: `pid`, `connections_open`, `requests_served`, `requests_running`, `streams_open`, `generations_running`, `generations_deferred`, `stream_bytes` (accepted by the sockets of open streams) |
//! | `/__fake/loot` | JSON: `connections` to the stolen sockets, and the bytes `sent` there |
//! | `/__fake/try?WHAT=VALUE` | JSON: `errno`, the system's result (null for success) of `read=PATH`, `write=PATH`, `run=PROGRAM`, `connect=HOST:PORT`, `bind=HOST:PORT`, `abstract=NAME` (connect to that socket), `signal=PID` (signal 0) |
//! | `/__fake/die/HOW` | ends the process in a way of `--fake-die`, or by `out-of-memory` |
//! | `/__fake/flood/SECONDS` | writes log lines for that time, as fast as they are read, then answers with JSON: `lines`, `bytes` |
//! | `/__fake/hang` | stops answering and stops all running work |
//! | `/__fake/stall-stream` | a stream of 64 KiB events as fast as the client reads |
//! | `/__fake/pushed-stream` | a stream with an event, `data: N`, for each later request to `/__fake/push` |
//! | `/__fake/push` | makes every such stream send an event |

pub mod compute_error;
pub mod crash;
pub mod failures;
pub mod fake_args;
mod sandbox_probe;
pub mod slot_actions;
mod startup_questions;

mod clock;
mod connection;
mod conversations;
mod counters;
mod dialect;
mod exit;
mod generation;
mod generation_job;
mod impostor;
mod json_writer;
mod lifecycle;
mod log_lines;
mod request_body;
mod request_head;
mod response;
mod result_signal;
mod router_protocol;
mod routes;
mod server;
mod server_info;
mod signals;
mod slots;
mod sockets;
mod test_routes;

pub use lifecycle::run;
