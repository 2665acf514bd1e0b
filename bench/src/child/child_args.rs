use std::time::Duration;

use anyhow::{Context as _, Result};

/// The relevant command-line arguments of the child.
#[derive(Debug)]
pub(super) struct ChildArgs {
    pub(super) hosts: Vec<String>,
    pub(super) port: u16,
    pub(super) load: Duration,
    pub(super) event: bool,
}

impl ChildArgs {
    pub(super) fn parse(mut words: impl Iterator<Item = String>) -> Result<Self> {
        let mut args = Self {
            hosts: vec!["127.0.0.1".to_owned()],
            port: 8080,
            load: Duration::ZERO,
            event: true,
        };
        while let Some(word) = words.next() {
            let mut value = || {
                words
                    .next()
                    .with_context(|| format!("{word} needs a value"))
            };
            match word.as_str() {
                "--host" => args.hosts = value()?.split(',').map(str::to_owned).collect(),
                "--port" => args.port = value()?.parse()?,
                "--load-ms" => args.load = Duration::from_millis(value()?.parse()?),
                "--no-event" => args.event = false,
                _ => {}
            }
        }
        Ok(args)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_arguments_are_ignored() {
        let words = "--model m.gguf --load-ms 7 --parallel 1 --host /a.sock,/b.sock --no-event";
        let args = ChildArgs::parse(words.split(' ').map(str::to_owned)).unwrap();
        assert_eq!(args.hosts, ["/a.sock", "/b.sock"]);
        assert_eq!(args.load, Duration::from_millis(7));
        assert!(!args.event);
    }
}
