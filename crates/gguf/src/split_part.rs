//! File names of models that are split over several files, `NAME-00001-of-00003.gguf` and so on.

use std::path::{Path, PathBuf};

/// The position of a file in a split model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SplitPart {
    /// The index of the part, from 0; file names count from 1.
    pub index: u32,
    /// The number of parts.
    pub count: u32,
}

/// Strips a suffix such as `-00001-of-00003` from a file stem, if present.
pub fn strip_part_suffix(stem: &str) -> &str {
    let digits = |text: &str| text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit());
    let Some((head, count)) = stem.rsplit_once("-of-") else {
        return stem;
    };
    match head.rsplit_once('-') {
        Some((name, number)) if digits(number) && digits(count) => name,
        _ => stem,
    }
}

/// Returns the path of part `index` (from 0) of `count`, given the path of another part.
///
/// Returns `None` if the given path is not named as a part of `count`.
pub fn part_path(part: &Path, index: u32, count: u32) -> Option<PathBuf> {
    let stem = part.file_name()?.to_str()?.strip_suffix(".gguf")?;
    let name = strip_part_suffix(stem);
    if name == stem || !stem.ends_with(&format!("-of-{count:05}")) {
        return None;
    }
    Some(part.with_file_name(format!("{name}-{:05}-of-{count:05}.gguf", index + 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn part_names_follow_the_first() {
        let first = Path::new("/m/a-of-b-00001-of-00003.gguf");
        let last = part_path(first, 2, 3).unwrap();
        assert_eq!(last, Path::new("/m/a-of-b-00003-of-00003.gguf"));
        assert_eq!(part_path(first, 1, 4), None);
        assert_eq!(part_path(Path::new("/m/a.gguf"), 1, 3), None);
    }

    #[test]
    fn only_a_full_suffix_is_taken_off() {
        assert_eq!(strip_part_suffix("a-00001-of-00003"), "a");
        for other in [
            "a",
            "a-1-of-3",
            "best-of-00003",
            "a-00001-of-0003x",
            "é-of-",
        ] {
            assert_eq!(strip_part_suffix(other), other);
        }
    }
}
