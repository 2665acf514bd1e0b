//! What a child may do, tried by the child itself.

#![cfg(target_os = "linux")]
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::fs;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::symlink;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};
use std::process;

use paddock_e2e::harness::{Connection, HttpResponse, Paddock, PaddockBuilder, get, post};
use paddock_e2e::paddock;
use serde_json::{Value, json};
use tempfile::TempDir;

/// What the system says of what is not permitted (errno(3)).
const EPERM: i64 = 1;
const EACCES: i64 = 13;

/// A place that no configuration names.
fn elsewhere() -> TempDir {
    let directory = tempfile::Builder::new().prefix("pd-else-").tempdir();
    let directory = directory.expect("a directory");
    fs::write(directory.path().join("secret"), "secret").expect("a file");
    directory
}

fn ready(builder: PaddockBuilder) -> Paddock {
    let paddock = builder.start();
    paddock.wait_ready();
    paddock
}

/// Lets the child try something; an error's number, or null.
fn attempt(paddock: &Paddock, what: &str, value: impl AsRef<Path>) -> Value {
    let path = format!("/__fake/try?{what}={}", value.as_ref().display());
    let came = paddock.get(&path).json();
    assert!(
        came["errno"].is_number() || came["error"].is_null(),
        "{came}"
    );
    came["errno"].clone()
}

fn limit(limits: &str, name: &str) -> Vec<String> {
    let line = limits.lines().find(|line| line.starts_with(name));
    let line = line.expect("a limit").trim_start_matches(name);
    line.split_whitespace().take(2).map(str::to_owned).collect()
}

fn status(number: i32, field: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{number}/status")).expect("a process");
    let line = status.lines().find(|line| line.starts_with(field));
    line.expect("a field")
        .trim_start_matches(field)
        .trim()
        .to_owned()
}

#[test]
fn the_child_reads_its_model_and_what_its_arguments_name_and_nothing_else() {
    let elsewhere = elsewhere();
    let secret = elsewhere.path().join("secret");
    let named = tempfile::NamedTempFile::new().expect("a file");
    // The engine's own directory is readable; the model lies in another one.
    let models = tempfile::tempdir().expect("a directory");
    let (model, other) = (models.path().join("m.gguf"), models.path().join("other"));
    let builder = paddock!();
    fs::copy(builder.model_path(), &model).expect("a model");
    fs::write(&other, "x").expect("a file");
    let paddock = ready(
        builder
            .model(&model)
            .engine_args(["--lora".to_owned(), named.path().display().to_string()]),
    );
    assert_eq!(paddock.post("/completion", r#"{"prompt":"a"}"#).status, 200);
    assert_eq!(attempt(&paddock, "read", &model), Value::Null);
    assert_eq!(attempt(&paddock, "read", named.path()), Value::Null);
    assert_eq!(attempt(&paddock, "read", "/proc/cpuinfo"), Value::Null);
    assert_eq!(attempt(&paddock, "read", "/proc/self/status"), Value::Null);
    assert_eq!(attempt(&paddock, "read", &secret), EACCES);
    assert_eq!(attempt(&paddock, "read", &other), EACCES);
    assert_eq!(attempt(&paddock, "read", "/etc/shadow"), EACCES);
    // What paddock was started with may hold secrets.
    let environment = format!("/proc/{}/environ", paddock.id());
    assert_eq!(attempt(&paddock, "read", environment), EACCES);
}

#[test]
fn the_child_writes_nowhere_but_where_its_arguments_say() {
    let elsewhere = elsewhere();
    let slots = tempfile::tempdir().expect("a directory");
    let log = elsewhere.path().join("engine.log");
    let args = [
        "--slot-save-path".to_owned(),
        slots.path().display().to_string(),
        "--log-file".to_owned(),
        log.display().to_string(),
    ];
    let paddock = ready(paddock!().engine_args(args));
    let model = paddock.directory().join("m.gguf");
    let secret = elsewhere.path().join("secret");
    let new = elsewhere.path().join("new");
    assert_eq!(attempt(&paddock, "write", &model), EACCES);
    assert_eq!(attempt(&paddock, "write", &secret), EACCES);
    assert_eq!(attempt(&paddock, "write", &new), EACCES);
    assert_eq!(attempt(&paddock, "write", "/tmp/pd-new"), EACCES);
    assert_eq!(fs::read(&secret).expect("the file"), b"secret");
    assert!(!new.exists());
    // Others' sockets are safe from it, and paddock's record.
    let directories = paddock.runtime_directories();
    let record = directories[0].join("record");
    assert_eq!(attempt(&paddock, "write", record), EACCES);
    assert_eq!(attempt(&paddock, "write", "/dev/null"), Value::Null);
    let slot = slots.path().join("slot");
    assert_eq!(attempt(&paddock, "write", slot), Value::Null);
    assert_eq!(attempt(&paddock, "write", &log), Value::Null);
}

#[test]
fn the_child_runs_what_the_system_has_and_nothing_it_could_have_been_given() {
    let elsewhere = elsewhere();
    let program = elsewhere.path().join("true");
    fs::copy("/bin/true", &program).expect("a program");
    let args = ["--lora".to_owned(), program.display().to_string()];
    let paddock = ready(paddock!().engine_args(args));
    assert_eq!(attempt(&paddock, "read", &program), Value::Null);
    assert_eq!(attempt(&paddock, "run", &program), EACCES);
    assert_eq!(attempt(&paddock, "run", "/bin/true"), Value::Null);
}

#[test]
fn the_child_has_no_tcp() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let paddock = ready(paddock!());
    assert_eq!(attempt(&paddock, "connect", address), EACCES);
    assert_eq!(attempt(&paddock, "bind", "127.0.0.1:0"), EACCES);
}

#[test]
fn the_child_reaches_no_process_and_no_abstract_socket_outside() {
    let name = format!("pd-{}", process::id());
    let address = SocketAddr::from_abstract_name(&name).expect("a name");
    let _listener = UnixListener::bind_addr(&address).expect("a socket");
    let paddock = ready(paddock!());
    let me = process::id().to_string();
    assert_eq!(attempt(&paddock, "abstract", &name), EPERM);
    assert_eq!(attempt(&paddock, "signal", &me), EPERM);
    let own = paddock.child().number().to_string();
    assert_eq!(attempt(&paddock, "signal", own), Value::Null);
}

#[test]
fn the_child_gains_no_privileges_and_dumps_no_core() {
    let paddock = ready(paddock!());
    let child = paddock.child().number();
    assert_eq!(status(child, "NoNewPrivs:"), "1");
    let limits = fs::read_to_string(format!("/proc/{child}/limits")).expect("limits");
    assert_eq!(limit(&limits, "Max core file size"), ["0", "0"]);
    let files: u64 = limit(&limits, "Max open files")[0]
        .parse()
        .expect("a number");
    assert!(files <= 65_536, "{files}");
}

#[test]
fn the_status_says_which_parts_hold() {
    let paddock = ready(paddock!().config("engine.sandbox = 'on'"));
    let wanted = json!({
        "parent_death": true,
        "no_new_privileges": true,
        "limits": true,
        "files": true,
        "metadata": true,
        "network": true,
        "scope": true,
        "processes": true,
        "scheduling": true,
        "opened_by": [],
    });
    assert_eq!(paddock.model()["sandbox"], wanted);
}

#[test]
fn off_leaves_the_child_all_that_its_user_may() {
    let elsewhere = elsewhere();
    let secret = elsewhere.path().join("secret");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let paddock = ready(paddock!().config("engine.sandbox = 'off'"));
    assert_eq!(attempt(&paddock, "read", &secret), Value::Null);
    assert_eq!(attempt(&paddock, "write", &secret), Value::Null);
    assert_eq!(attempt(&paddock, "connect", address), Value::Null);
    let child = paddock.child().number();
    assert_eq!(
        status(child, "NoNewPrivs:"),
        status(process_id(), "NoNewPrivs:")
    );
    let sandbox = paddock.model()["sandbox"].clone();
    assert_eq!(
        (&sandbox["files"], &sandbox["parent_death"]),
        (&json!(false), &json!(true))
    );
}

fn process_id() -> i32 {
    process::id().cast_signed()
}

#[test]
fn a_flag_that_connects_opens_the_network_and_no_file() {
    let elsewhere = elsewhere();
    let secret = elsewhere.path().join("secret");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let paddock = ready(paddock!().engine_args(["--rpc", &address]));
    assert_eq!(attempt(&paddock, "connect", &address), Value::Null);
    assert_eq!(attempt(&paddock, "read", &secret), EACCES);
    let sandbox = paddock.model()["sandbox"].clone();
    assert_eq!(sandbox["network"], false);
    assert_eq!(sandbox["opened_by"], json!(["--rpc"]));
}

#[test]
fn a_wrapped_command_is_confined_where_that_is_asked_for_unless_it_downloads() {
    let elsewhere = elsewhere();
    let secret = elsewhere.path().join("secret");
    let confined = || paddock!().wrap_options(["--sandbox", "auto"]);
    for (builder, answer) in [(paddock!(), Value::Null), (confined(), json!(EACCES))] {
        let model = builder.model_path().display().to_string();
        let paddock = builder.wrap(["-m", &model, "--port", "0"]);
        paddock.wait_ready();
        assert_eq!(attempt(&paddock, "read", &secret), answer);
    }
    let downloads = confined().wrap(["-hf", "org/model", "--port", "0"]);
    downloads.wait_ready();
    assert_eq!(attempt(&downloads, "read", &secret), Value::Null);
    assert_eq!(downloads.model()["sandbox"]["opened_by"], json!(["-hf"]));
    assert_eq!(downloads.model()["sandbox"]["no_new_privileges"], true);
    let child = downloads.child().number();
    assert_eq!(status(child, "NoNewPrivs:"), "1");
    let said = downloads.stderr().all().join("\n");
    assert!(said.contains("sandbox relaxed"), "{said}");
}

/// Sends a request to a child of one of several models.
fn ask_model(paddock: &Paddock, model: &str, request: &str) -> HttpResponse {
    let field = format!("\r\nx-paddock-model: {model}\r\n");
    let mut connection = Connection::connect(paddock.public());
    connection.ask(request.replacen("\r\n", &field, 1))
}

/// Loads a model and returns the directory in which its child saves and restores contexts.
fn staging(paddock: &Paddock, model: &str) -> PathBuf {
    let loaded = ask_model(paddock, model, &post("/completion", r#"{"prompt":"a"}"#));
    assert_eq!(loaded.status, 200, "{loaded:?}");
    let status = paddock.status();
    let mut models = status["models"].as_array().into_iter().flatten();
    let pid = models
        .find(|one| one["id"] == model)
        .map(|one| one["pid"].clone());
    let pid = pid.expect("the model");
    let arguments = fs::read_to_string(format!("/proc/{pid}/cmdline")).expect("a process");
    let mut arguments = arguments.split('\0');
    let flag = arguments.find(|argument| *argument == "--slot-save-path");
    assert!(flag.is_some(), "{model} keeps contexts");
    arguments.next().expect("a directory").into()
}

#[test]
fn the_child_reaches_only_its_own_contexts() {
    let builder = paddock!().config("engine.env.FAKE_SAVES_SLOTS = '1'");
    let model = builder.model_path().display().to_string();
    let paddock = builder
        .config(&format!("models.other.path = {model:?}"))
        .start();
    let (own, others) = (staging(&paddock, "m"), staging(&paddock, "other"));
    assert_ne!(own, others);
    let store = own.parent().expect("the store").to_owned();
    let attempt = |what: &str, path: &Path| {
        let request = get(&format!("/__fake/try?{what}={}", path.display()));
        let answer = ask_model(&paddock, "m", &request).json();
        answer["errno"].clone()
    };
    let mine = own.join("mine");
    assert_eq!(attempt("write", &mine), Value::Null);
    assert_eq!(attempt("read", &mine), Value::Null);
    let (secret, stored) = (others.join("secret"), store.join("999.slot"));
    for (number, file) in [&secret, &stored].into_iter().enumerate() {
        fs::write(file, "secret").expect("a file");
        assert_eq!(attempt("read", file), EACCES, "{}", file.display());
        assert_eq!(attempt("write", file), EACCES, "{}", file.display());
        // An earlier child, without a sandbox, may have left a link.
        let link = own.join(format!("link-{number}"));
        symlink(file, &link).expect("a link");
        assert_eq!(attempt("read", &link), EACCES, "{}", file.display());
        let hard_link = own.join(format!("hard-link-{number}"));
        let link = format!("/bin/ln,{},{}", file.display(), hard_link.display());
        attempt("ask", Path::new(&link));
        assert!(!hard_link.exists(), "{}", file.display());
        assert_eq!(fs::read(file).expect("the file"), b"secret");
    }
    for name in ["contexts.sqlite", "contexts.sqlite-wal", "contexts.lock"] {
        let file = store.join(name);
        assert!(file.exists(), "{name}");
        assert_eq!(attempt("read", &file), EACCES, "{name}");
    }
    assert_eq!(attempt("write", &store.join("new.slot")), EACCES);
    assert_eq!(attempt("write", &others.join("new")), EACCES);
}
