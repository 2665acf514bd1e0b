//! Finds and reads the files of a model.

use super::ModelHeaders;
use super::file_fault::FileFault;
use paddock_config as config;
use paddock_gguf as gguf;
use std::path::{Path, PathBuf};

/// Maximum number of parts of a model. If the file's name claims more, only the named file is used.
const MAX_PARTS: u32 = 1000;

/// Returns all part files of a model (`NAME-00001-of-00003.gguf`, …), given the first.
pub(crate) fn part_paths(path: &Path) -> Vec<PathBuf> {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let count = stem
        .rsplit_once("-of-")
        .and_then(|(_, count)| count.parse().ok());
    let parts = count.filter(|count| *count <= MAX_PARTS).map(|count: u32| {
        let parts = (0..count).map_while(|index| gguf::part_path(path, index, count));
        parts.collect::<Vec<_>>()
    });
    parts
        .filter(|parts| !parts.is_empty())
        .unwrap_or_else(|| vec![path.to_owned()])
}

/// Reads the headers of a model, its projector and its draft model.
pub(super) fn read_headers(model: &config::Model, path: &Path) -> Result<ModelHeaders, FileFault> {
    let projector = model.mmproj.as_deref().map(|path| {
        let read = gguf::inspect(path);
        read.map_err(|error| FileFault::from_gguf_error(path, &error))
    });
    let parts = |path: &Path| {
        let read = gguf::inspect_parts(path);
        read.map_err(|error| FileFault::from_gguf_error(&error.path, &error.error))
    };
    let draft = model.draft.as_deref().map(parts);
    Ok(ModelHeaders {
        model: parts(path)?,
        projector: projector.transpose()?,
        draft: draft.transpose()?,
    })
}

/// Rejects a model that cannot be loaded before another one is evicted for it. A configured size asserts that this
/// engine loads a model whose header lacks data.
pub(super) fn check_loadable(
    model: &config::Model,
    path: &Path,
    headers: ModelHeaders,
) -> Result<ModelHeaders, FileFault> {
    match gguf::check_loadable(&headers.model) {
        Err(why) if why.is_missing_key() && model.memory.is_some() => Ok(headers),
        Err(why) => Err(FileFault::from_unloadable(path, &why)),
        Ok(()) => Ok(headers),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Fixture;
    use paddock_gguf::builder::GgufBuilder;
    use paddock_gguf::{GgmlType, Header, Value};

    #[test]
    fn a_split_model_has_all_its_parts_and_any_other_file_is_alone() {
        let table: [(&str, &[&str]); 7] = [
            ("/m/a.gguf", &["/m/a.gguf"]),
            (
                "/m/a-00001-of-00003.gguf",
                &[
                    "/m/a-00001-of-00003.gguf",
                    "/m/a-00002-of-00003.gguf",
                    "/m/a-00003-of-00003.gguf",
                ],
            ),
            ("/m/a-00001-of-00001.gguf", &["/m/a-00001-of-00001.gguf"]),
            ("/m/best-of-3.gguf", &["/m/best-of-3.gguf"]),
            ("/m/a-00001-of-00000.gguf", &["/m/a-00001-of-00000.gguf"]),
            ("/m/a-00001-of-01001.gguf", &["/m/a-00001-of-01001.gguf"]),
            ("/", &["/"]),
        ];
        for (path, parts) in table {
            let parts: Vec<_> = parts.iter().map(PathBuf::from).collect();
            assert_eq!(part_paths(Path::new(path)), parts, "{path}");
        }
        let largest = part_paths(Path::new("/m/a-00001-of-01000.gguf"));
        assert_eq!(largest.len(), 1000);
    }

    #[test]
    fn headers_of_every_file_are_read_and_a_fault_names_its_file() {
        let fixture = Fixture::new();
        let mut model = fixture.config("[models.m]\npath = \"m.gguf\"\n").models[0].clone();
        let path = fixture.path("m.gguf");
        let headers = read_headers(&model, &path).unwrap();
        assert_eq!(headers.model.len(), 1);
        assert!(headers.projector.is_none() && headers.draft.is_none());
        model.mmproj = Some(path.clone());
        model.draft = Some(path.clone());
        let headers = read_headers(&model, &path).unwrap();
        assert!(headers.projector.is_some() && headers.draft.is_some_and(|d| d.len() == 1));
        let broken = fixture.path("broken.gguf");
        std::fs::write(&broken, "").unwrap();
        for breaks in [
            |model: &mut config::Model, broken: &Path| model.mmproj = Some(broken.to_owned()),
            |model: &mut config::Model, broken: &Path| model.draft = Some(broken.to_owned()),
        ] {
            let mut model = model.clone();
            breaks(&mut model, &broken);
            let fault = read_headers(&model, &path).unwrap_err();
            let failed = fault.into_failed_load(None);
            let message = &failed.failure.cause.message;
            assert!(message.contains("broken.gguf is empty"), "{message}");
        }
        read_headers(&model, &broken).unwrap_err();
    }

    #[test]
    fn a_header_without_a_required_key_needs_a_configured_size() {
        let fixture = Fixture::new();
        let mut model = fixture.config("[models.m]\npath = \"m.gguf\"\n").models[0].clone();
        let headers = |builder: GgufBuilder| ModelHeaders {
            model: vec![Header::read(&builder.build()[..]).unwrap()],
            projector: None,
            draft: None,
        };
        let lacking = || {
            headers(
                GgufBuilder::new("llama")
                    .set("llama.block_count", Value::U32(1))
                    .tensor("token_embd.weight", &[64, 8], GgmlType::F32),
            )
        };
        let path = Path::new("m.gguf");
        let mut check = |headers, memory| {
            model.memory = memory;
            check_loadable(&model, path, headers).is_ok()
        };
        assert!(check(headers(GgufBuilder::stand_in()), None));
        assert!(!check(lacking(), None));
        assert!(check(lacking(), Some(1)));
        // A size asserts nothing about a file that is no model.
        assert!(!check(headers(GgufBuilder::new("clip")), Some(1)));
    }
}
