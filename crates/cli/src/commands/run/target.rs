//! Decides what MODEL on the command line means.

use std::path::{Path, PathBuf};

use paddock_models::ModelSource;
use paddock_server::config::ConfiguredModel;

use super::error::RunError;

/// The meaning of MODEL.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// A model file.
    File(PathBuf),
    /// A repository or a URL.
    Source(ModelSource),
    /// A name of the configuration file or of the running paddock.
    Name(String),
}

impl Target {
    /// Decides in this order: a source is known by its prefix, a name by the configuration or the running paddock
    /// (`served`), a file by its existence.
    ///
    /// # Errors
    ///
    /// The text is none of these; the error suggests what was meant.
    pub(super) fn parse(
        text: &str,
        configured: &[ConfiguredModel],
        served: &[&str],
    ) -> Result<Self, RunError> {
        if ModelSource::is_like(text) {
            return Ok(Self::Source(text.parse()?));
        }
        if served.contains(&text) || configured.iter().any(|model| model.has_name(text)) {
            return Ok(Self::Name(text.to_owned()));
        }
        let path = Path::new(text);
        if path.is_file() {
            return Ok(Self::File(path.to_owned()));
        }
        let is_path = path.is_absolute() || text.starts_with('.') || text.ends_with("gguf");
        match text.parse::<ModelSource>() {
            _ if is_path => Err(RunError::NoFile(text.to_owned())),
            Ok(source) => Ok(Self::Source(source)),
            Err(paddock_models::SourceError::Unknown(name)) => Err(RunError::UnknownName(name)),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns the name under which the running paddock serves this; of a source, the configured model that has it.
    pub(super) fn served_name<'a>(
        &'a self,
        configured: &'a [ConfiguredModel],
        served: &[&str],
    ) -> Option<&'a str> {
        let name = match self {
            Self::Name(name) => name,
            Self::Source(source) => {
                let mut models = configured.iter();
                &models
                    .find(|model| model.source.as_ref() == Some(source))?
                    .name
            }
            Self::File(_) => return None,
        };
        served.contains(&name.as_str()).then_some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configured() -> [ConfiguredModel; 2] {
        let model = |name: &str, source: Option<&str>| ConfiguredModel {
            name: name.to_owned(),
            aliases: vec![format!("{name}:latest")],
            source: source.map(|source| source.parse().unwrap()),
        };
        [model("a", Some("hf:u/r")), model("b", None)]
    }

    fn parse(text: &str) -> Result<Target, RunError> {
        Target::parse(text, &configured(), &["a", "running"])
    }

    #[test]
    fn each_kind_is_known() {
        let name = |name: &str| Target::Name(name.to_owned());
        assert_eq!(parse("a").unwrap(), name("a"));
        assert_eq!(parse("b:latest").unwrap(), name("b:latest"));
        assert_eq!(parse("running").unwrap(), name("running"));
        assert!(matches!(parse("hf:u/r:Q4_0").unwrap(), Target::Source(_)));
        assert!(matches!(
            parse("https://h/m.gguf").unwrap(),
            Target::Source(_)
        ));
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        assert_eq!(parse(path).unwrap(), Target::File(path.into()));
    }

    #[test]
    fn wrong_names_get_advice() {
        for (text, words) in [
            ("u/r", "did you mean `hf:u/r`?"),
            ("hf.co/u/r", "did you mean `hf:u/r`?"),
            ("llama3.2:1b", "Ollama"),
            ("gemma", "there is no model `gemma`"),
            ("./m.gguf", "there is no file ./m.gguf"),
            ("m.gguf", "there is no file m.gguf"),
            ("hf:u", "names no repository"),
        ] {
            let error = parse(text).expect_err(text).to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn the_running_paddock_serves_its_names_and_their_sources() {
        let models = configured();
        let served = ["a", "running"];
        for (text, name) in [
            ("a", Some("a")),
            ("running", Some("running")),
            ("hf:u/r", Some("a")),
            ("hf:u/r:Q4_0", None),
            ("b", None),
        ] {
            let target = parse(text).unwrap();
            assert_eq!(target.served_name(&models, &served), name, "{text}");
        }
    }
}
