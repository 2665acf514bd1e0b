//! Reads the prompt from the command line and standard input, and images from files.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Longest input to read from one file or from standard input.
const MAX_INPUT_BYTES: u64 = 64 << 20;

/// The prompt of a command, or the way to get prompts.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) enum Prompt {
    /// A single prompt.
    Single(String),
    /// Lines that a user types at a terminal.
    Interactive,
}

/// A reason why there is no prompt.
#[derive(Debug, thiserror::Error)]
pub(in super::super) enum InputError {
    #[error("no prompt: give PROMPT, or pipe the prompt to standard input")]
    Nothing,
    #[error("cannot read {0}: {1}")]
    Read(String, io::Error),
    #[error("standard input is not UTF-8 text; send images with --image")]
    NotText,
    #[error("{0} is larger than 64 MiB")]
    TooLong(String),
    #[error("{0} is not a supported image (PNG, JPEG, GIF, BMP or WebP)")]
    NotImage(String),
}

/// Reads the prompt from the command line, standard input, or both.
pub(in super::super) fn read_prompt(prompt: Option<&str>) -> Result<Prompt, InputError> {
    let stdin = io::stdin();
    match (prompt, stdin.is_terminal()) {
        (None, true) => return Ok(Prompt::Interactive),
        (Some(prompt), true) if prompt != "-" => return join_prompt(prompt, ""),
        _ => {}
    }
    let bytes = read_limited(stdin.lock(), "standard input")?;
    let text = String::from_utf8(bytes).map_err(|_| InputError::NotText)?;
    join_prompt(prompt.filter(|prompt| *prompt != "-").unwrap_or(""), &text)
}

/// Joins the prompt of the command line and the text of standard input; either may be empty.
fn join_prompt(prompt: &str, text: &str) -> Result<Prompt, InputError> {
    let text = text.trim_end();
    match (prompt.trim().is_empty(), text.is_empty()) {
        (true, true) => Err(InputError::Nothing),
        (true, false) => Ok(Prompt::Single(text.to_owned())),
        (false, true) => Ok(Prompt::Single(prompt.to_owned())),
        (false, false) => Ok(Prompt::Single(format!("{prompt}\n\n{text}"))),
    }
}

/// Reads images into data URLs.
pub(super) fn read_images(files: &[PathBuf]) -> Result<Vec<String>, InputError> {
    files.iter().map(|file| read_image(file)).collect()
}

fn read_image(file: &Path) -> Result<String, InputError> {
    let name = crate::output::printable(&file.display().to_string());
    let opened = File::open(file).map_err(|error| InputError::Read(name.clone(), error))?;
    let bytes = read_limited(opened, &name)?;
    let image_type = image_type(&bytes).ok_or(InputError::NotImage(name))?;
    Ok(format!(
        "data:image/{image_type};base64,{}",
        STANDARD.encode(bytes)
    ))
}

/// Recognizes an image type by its first bytes.
fn image_type(bytes: &[u8]) -> Option<&'static str> {
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

fn read_limited(from: impl Read, name: &str) -> Result<Vec<u8>, InputError> {
    let mut bytes = Vec::new();
    let read = from.take(MAX_INPUT_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(|error| InputError::Read(name.to_owned(), error))?;
    if bytes.len() as u64 > MAX_INPUT_BYTES {
        return Err(InputError::TooLong(name.to_owned()));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_standard_input_go_together() {
        let said = |prompt, text| join_prompt(prompt, text).ok();
        let text = |text: &str| Some(Prompt::Single(text.to_owned()));
        assert_eq!(said("a", ""), text("a"));
        assert_eq!(said("", "b\n"), text("b"));
        assert_eq!(said("a", "b\nc\n"), text("a\n\nb\nc"));
        assert_eq!(said(" ", "\n"), None);
    }

    #[test]
    fn what_has_no_end_is_not_read_to_it() {
        let error = read_limited(io::repeat(0), "zero").unwrap_err();
        assert_eq!(error.to_string(), "zero is larger than 64 MiB");
    }

    #[test]
    fn images_are_known_by_their_bytes() {
        assert_eq!(image_type(b"\x89PNG\r\n"), Some("png"));
        assert_eq!(image_type(b"\xff\xd8\xff\xe0"), Some("jpeg"));
        assert_eq!(image_type(b"RIFF1234WEBP"), Some("webp"));
        assert_eq!(image_type(b"RIFF1234WAVE"), None);
        assert_eq!(image_type(b""), None);
    }
}
