//! Targets of a log filter: `paddock_server` stands for all crates that the service consists of.

/// The crates of the service. A target begins with the name of the crate that logs.
const SERVICE: [&str; 5] = [
    "paddock_admission",
    "paddock_config",
    "paddock_proxy",
    "paddock_runtime",
    "paddock_telemetry",
];

/// Adds the other crates of the service to a filter that names `paddock_server`, ahead of what the filter itself says
/// of them.
pub(crate) fn expand(filter: &str) -> String {
    let whole = filter
        .split(',')
        .filter_map(|piece| piece.strip_prefix("paddock_server="));
    let added = whole.flat_map(|level| SERVICE.map(|name| format!("{name}={level}")));
    let mut pieces: Vec<String> = added.collect();
    pieces.push(filter.to_owned());
    pieces.join(",")
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
