//! What it is asked before there is a model: which devices and which flags it knows.

/// The variable that names devices, as in `CUDA0=24000,CUDA1=12000`, with their memory in MiB.
const DEVICES: &str = "FAKE_DEVICES";

/// What it prints instead of serving, if that is asked for.
pub(super) fn answer(words: &[String]) -> Option<String> {
    let asked = |flag: &str| words.iter().any(|word| word == flag);
    if asked("--list-devices") {
        return Some(devices(&std::env::var(DEVICES).unwrap_or_default()));
    }
    let help = "-fit, --fit [on|off]\n-lv, --verbosity, --log-verbosity N\n";
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
