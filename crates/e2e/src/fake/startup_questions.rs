//! Answers `--version`, and `--list-devices` and `--help`, with which paddock asks for devices and flags
//! before a load.

use super::signals;

/// The variable that lists devices, such as `CUDA0=24000,CUDA1=12000`, with memory in MiB.
const DEVICES_VARIABLE: &str = "FAKE_DEVICES";

/// The variable that makes `--list-devices` hang and ignore every signal that can be ignored.
const HANG_VARIABLE: &str = "FAKE_ASKED_HANGS";

/// The variable that makes `--help` list `--slot-save-path`.
const SLOTS_VARIABLE: &str = "FAKE_SAVES_SLOTS";

/// Returns the text to print instead of serving, if requested.
pub(super) fn answer(words: &[String]) -> Option<String> {
    let asked = |flag: &str| words.iter().any(|word| word == flag);
    if asked("--list-devices") {
        while std::env::var_os(HANG_VARIABLE).is_some() {
            let _ = signals::ignore_term();
            std::thread::park();
        }
        return Some(devices(
            &std::env::var(DEVICES_VARIABLE).unwrap_or_default(),
        ));
    }
    if asked("--version") {
        return Some("version: 0.6.0-dev (build 11434, commit fake)\nbuilt for tests\n".to_owned());
    }
    let help = "-fit, --fit [on|off]\n-lv, --verbosity, --log-verbosity N\n--metrics\n\
                -dev, --device <dev1,dev2,..>\n-lm, --load-mode MODE\n";
    let slots = match std::env::var_os(SLOTS_VARIABLE) {
        Some(_) => "--slot-save-path PATH\n",
        None => "",
    };
    asked("--help").then(|| format!("{help}{slots}"))
}

/// Returns the output of `--list-devices` for the devices in `named`.
fn devices(named: &str) -> String {
    let lines: Vec<String> = named
        .split(',')
        .filter_map(|device| device.split_once('='))
        .map(|(name, mib)| format!("  {name}: a device ({mib} MiB, {mib} MiB free)\n"))
        .collect();
    let lines = if lines.is_empty() {
        "  (none)\n".to_owned()
    } else {
        lines.concat()
    };
    format!("Available devices:\n{lines}")
}
