//! What is asked: words, standard input, images.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The most bytes that are read from one file, or from standard input.
const MOST: u64 = 64 << 20;

/// What is to be asked.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// This.
    Once(String),
    /// What somebody at a terminal types.
    Conversation,
}

/// Why there is nothing that can be asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum InputError {
    #[error("there is nothing to ask: give a PROMPT, or write one to standard input")]
    Nothing,
    #[error("cannot read {0}: {1}")]
    Read(String, io::Error),
    #[error("standard input is not UTF-8 text; an image goes with --image")]
    NoText,
    #[error("{0} has more than 64 MiB")]
    TooLong(String),
    #[error("{0} is not an image: PNG, JPEG, GIF, BMP and WebP are known")]
    NoImage(String),
}

/// Takes the words of the command line together with those of standard input.
pub(super) fn said(prompt: Option<&str>) -> Result<Said, InputError> {
    let stdin = io::stdin();
    match (prompt, stdin.is_terminal()) {
        (None, true) => return Ok(Said::Conversation),
        (Some(prompt), true) if prompt != "-" => return once(prompt, ""),
        _ => {}
    }
    let bytes = limited(stdin.lock(), "standard input")?;
    let text = String::from_utf8(bytes).map_err(|_| InputError::NoText)?;
    once(prompt.filter(|prompt| *prompt != "-").unwrap_or(""), &text)
}

fn once(prompt: &str, text: &str) -> Result<Said, InputError> {
    let text = text.trim_end();
    match (prompt.trim().is_empty(), text.is_empty()) {
        (true, true) => Err(InputError::Nothing),
        (true, false) => Ok(Said::Once(text.to_owned())),
        (false, true) => Ok(Said::Once(prompt.to_owned())),
        (false, false) => Ok(Said::Once(format!("{prompt}\n\n{text}"))),
    }
}

/// Reads images into data URLs.
pub(super) fn images(files: &[PathBuf]) -> Result<Vec<String>, InputError> {
    files.iter().map(|file| image(file)).collect()
}

fn image(file: &Path) -> Result<String, InputError> {
    let name = crate::output::printable(&file.display().to_string());
    let opened = File::open(file).map_err(|error| InputError::Read(name.clone(), error))?;
    let bytes = limited(opened, &name)?;
    let kind = kind(&bytes).ok_or(InputError::NoImage(name))?;
    Ok(format!(
        "data:image/{kind};base64,{}",
        STANDARD.encode(bytes)
    ))
}

/// Knows an image by its first bytes, as readers of images do.
fn kind(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x89, b'P', b'N', b'G', ..] => Some("png"),
        [0xff, 0xd8, 0xff, ..] => Some("jpeg"),
        [b'G', b'I', b'F', b'8', ..] => Some("gif"),
        [b'B', b'M', ..] => Some("bmp"),
        [
            b'R',
            b'I',
            b'F',
            b'F',
            _,
            _,
            _,
            _,
            b'W',
            b'E',
            b'B',
            b'P',
            ..,
        ] => Some("webp"),
        _ => None,
    }
}

fn limited(from: impl Read, name: &str) -> Result<Vec<u8>, InputError> {
    let mut bytes = Vec::new();
    let read = from.take(MOST + 1).read_to_end(&mut bytes);
    read.map_err(|error| InputError::Read(name.to_owned(), error))?;
    if bytes.len() as u64 > MOST {
        return Err(InputError::TooLong(name.to_owned()));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_standard_input_go_together() {
        let said = |prompt, text| once(prompt, text).ok();
        let text = |text: &str| Some(Said::Once(text.to_owned()));
        assert_eq!(said("a", ""), text("a"));
        assert_eq!(said("", "b\n"), text("b"));
        assert_eq!(said("a", "b\nc\n"), text("a\n\nb\nc"));
        assert_eq!(said(" ", "\n"), None);
    }

    #[test]
    fn what_has_no_end_is_not_read_to_it() {
        let error = limited(io::repeat(0), "zero").unwrap_err();
        assert_eq!(error.to_string(), "zero has more than 64 MiB");
    }

    #[test]
    fn images_are_known_by_their_bytes() {
        assert_eq!(kind(b"\x89PNG\r\n"), Some("png"));
        assert_eq!(kind(b"\xff\xd8\xff\xe0"), Some("jpeg"));
        assert_eq!(kind(b"RIFF1234WEBP"), Some("webp"));
        assert_eq!(kind(b"RIFF1234WAVE"), None);
        assert_eq!(kind(b""), None);
    }
}
