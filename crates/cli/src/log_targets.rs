//! Expands the targets of a log filter: `paddock_server` stands for all crates that the service consists of.

/// The crates of the service besides `paddock_server`. A target begins with the name of the crate that logs.
const SERVICE: [&str; 5] = [
    "paddock_admission",
    "paddock_config",
    "paddock_proxy",
    "paddock_runtime",
    "paddock_telemetry",
];

/// Returns the filter with directives for the crates that its targets stand for. `paddock_server` stands for all crates
/// of the service, and `paddock_server::proxy`, once a module, for the crate `paddock_proxy`. The original directives
/// come last, so that they take precedence.
pub(crate) fn expand(filter: &str) -> String {
    let targets = filter.split(',').filter_map(|piece| piece.split_once('='));
    let added = targets.flat_map(|(target, level)| crates_of(target, level));
    let mut pieces: Vec<String> = added.collect();
    pieces.push(filter.to_owned());
    pieces.join(",")
}

/// Returns a directive for each crate that `target` stands for.
fn crates_of(target: &str, level: &str) -> Vec<String> {
    let path = target.strip_prefix("paddock_server");
    let Some(module) = path.filter(|path| path.is_empty() || path.starts_with("::")) else {
        return Vec::new();
    };
    let module = module
        .strip_prefix("::")
        .and_then(|path| path.split("::").next());
    SERVICE
        .into_iter()
        .filter(|name| module.is_none_or(|module| name.strip_prefix("paddock_") == Some(module)))
        .map(|name| format!("{name}={level}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::expand;
    use tracing::Level;
    use tracing_subscriber::filter::Targets;

    #[test]
    fn the_name_of_the_server_stands_for_the_service() {
        for (filter, target, level, enabled) in [
            (
                "warn,paddock_server=debug",
                "paddock_proxy::worker",
                Level::DEBUG,
                true,
            ),
            (
                "warn,paddock_server=debug",
                "paddock_server::routes",
                Level::DEBUG,
                true,
            ),
            (
                "warn,paddock_server=debug",
                "paddock_supervisor",
                Level::DEBUG,
                false,
            ),
            (
                "paddock_server=debug,paddock_proxy=info",
                "paddock_proxy",
                Level::DEBUG,
                false,
            ),
            (
                "paddock_server=debug,paddock_proxy=info",
                "paddock_runtime",
                Level::DEBUG,
                true,
            ),
            (
                "paddock_server::proxy=debug",
                "paddock_proxy::worker",
                Level::DEBUG,
                true,
            ),
            (
                "paddock_server::proxy=debug",
                "paddock_runtime",
                Level::DEBUG,
                false,
            ),
            ("info", "paddock_proxy", Level::DEBUG, false),
        ] {
            let targets: Targets = expand(filter).parse().expect("a filter");
            assert_eq!(
                targets.would_enable(target, &level),
                enabled,
                "{filter}: {target}"
            );
        }
    }
}
