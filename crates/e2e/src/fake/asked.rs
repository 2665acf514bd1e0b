//! What it is asked before there is a model: which devices and which flags it knows.

use super::signals;

/// The variable that names devices, as in `CUDA0=24000,CUDA1=12000`, with their memory in MiB.
const DEVICES: &str = "FAKE_DEVICES";

/// The variable that, set to anything, makes it hang when it is asked for devices: no signal that can be
/// ignored ends it.
const HANGS: &str = "FAKE_ASKED_HANGS";

/// What it prints instead of serving, if that is asked for.
pub(super) fn answer(words: &[String]) -> Option<String> {
    let asked = |flag: &str| words.iter().any(|word| word == flag);
    if asked("--list-devices") {
        while std::env::var_os(HANGS).is_some() {
            let _ = signals::ignore_term();
            std::thread::park();
        }
        return Some(devices(&std::env::var(DEVICES).unwrap_or_default()));
    }
    let help = "-fit, --fit [on|off]\n-lv, --verbosity, --log-verbosity N\n--metrics\n\
                -dev, --device <dev1,dev2,..>\n-lm, --load-mode MODE\n";
    asked("--help").then(|| help.to_owned())
}

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
