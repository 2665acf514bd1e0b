use super::*;

#[derive(Debug, Clone, PartialEq, Eq)]
struct Path(RepoPath);

impl HasRepoPath for Path {
    fn repo_path(&self) -> &RepoPath {
        &self.0
    }
}

fn found(paths: &[&str]) -> Vec<Variant<Path>> {
    let files: Vec<_> = paths
        .iter()
        .map(|path| Path(path.parse().unwrap()))
        .collect();
    variants(&files)
}

fn names(paths: &[&str]) -> Vec<String> {
    found(paths)
        .into_iter()
        .map(|variant| variant.name)
        .collect()
}

#[test]
fn a_file_is_named_by_its_quantisation() {
    for (path, name) in [
        ("gemma-3-4b-it-Q4_K_M.gguf", "Q4_K_M"),
        ("llama-2-7b.Q4_0.gguf", "Q4_0"),
        ("model-q8_0.gguf", "Q8_0"),
        ("gemma-UD-Q4_K_XL.gguf", "UD-Q4_K_XL"),
        ("m-IQ2_XXS.gguf", "IQ2_XXS"),
        ("gpt-oss-20b-mxfp4.gguf", "MXFP4"),
        ("m-BF16-00001-of-00001.gguf", "m-BF16-00001-of-00001"),
        ("BF16/model.gguf", "BF16"),
        ("Q4_K_M/model-Q4_K_M.gguf", "Q4_K_M"),
        ("tinyllama-1.1b-chat.gguf", "tinyllama-1.1b-chat"),
        ("model.gguf", "model"),
        ("Qwen3-8B.gguf", "Qwen3-8B"),
    ] {
        assert_eq!(names(&[path]), [name], "{path}");
    }
}

#[test]
fn only_models_are_variants() {
    let paths = [
        "README.md",
        "config.json",
        "mmproj-m-f16.gguf",
        "m.imatrix.gguf",
        "mtp-m-Q4_0.gguf",
        "eagle3-m-Q4_0.gguf",
        "m-Q4_0.gguf.part",
        "m-Q4_0.gguf",
    ];
    assert_eq!(names(&paths), ["Q4_0"]);
    assert_eq!(names(&[]), [""; 0]);
}

#[test]
fn equal_quantisations_are_told_apart_by_their_paths() {
    assert_eq!(
        names(&[
            "a-Q4_0.gguf",
            "s/b-Q4_0-00001-of-00002.gguf",
            "s/b-Q4_0-00002-of-00002.gguf",
            "a-Q8_0.gguf"
        ]),
        ["a-Q4_0", "s/b-Q4_0", "Q8_0"]
    );
}

#[test]
fn split_models_have_all_parts_in_order_or_are_left_out() {
    let whole = found(&[
        "Q8_0/m-00002-of-00002.gguf",
        "Q8_0/m-00001-of-00002.gguf",
        "m-F16-00001-of-00003.gguf",
    ]);
    assert_eq!(whole.len(), 1);
    let parts: Vec<_> = whole[0].parts.iter().map(|part| part.0.as_str()).collect();
    assert_eq!(
        parts,
        ["Q8_0/m-00001-of-00002.gguf", "Q8_0/m-00002-of-00002.gguf"]
    );
    assert_eq!(whole[0].name, "Q8_0");
    assert_eq!(found(&["m-00001-of-99999.gguf"]).len(), 0);
}

#[test]
fn a_model_gets_the_nearest_projector() {
    let projector = |paths: &[&str], model: &str| {
        let all = found(paths);
        let variant = all.iter().find(|variant| variant.path() == model).unwrap();
        variant
            .projector
            .as_ref()
            .map(|file| file.0.as_str().to_owned())
    };
    let both = ["m-Q8_0.gguf", "mmproj-m-F16.gguf", "mmproj-m-Q8_0.gguf"];
    assert_eq!(
        projector(&both, "m-Q8_0.gguf").as_deref(),
        Some("mmproj-m-Q8_0.gguf")
    );
    let deep = [
        "Q4_0/m-Q4_0.gguf",
        "Q4_0/mmproj-F32.gguf",
        "mmproj-Q4_0.gguf",
    ];
    assert_eq!(
        projector(&deep, "Q4_0/m-Q4_0.gguf").as_deref(),
        Some("Q4_0/mmproj-F32.gguf")
    );
    let elsewhere = ["m-Q4_0.gguf", "other/mmproj-Q4_0.gguf"];
    assert_eq!(projector(&elsewhere, "m-Q4_0.gguf"), None);
    let same = ["m.gguf", "mmproj-a.gguf", "mmproj-b.gguf"];
    assert_eq!(projector(&same, "m.gguf").as_deref(), Some("mmproj-a.gguf"));
}

#[test]
fn a_quantisation_is_chosen_as_llama_cpp_does() {
    let all = found(&[
        "m-IQ4_NL.gguf",
        "m-Q2_K.gguf",
        "m-Q4_K_M.gguf",
        "m-Q8_0.gguf",
        "m-UD-Q4_K_XL.gguf",
    ]);
    for (wanted, path) in [
        (None, "m-Q4_K_M.gguf"),
        (Some("q8_0"), "m-Q8_0.gguf"),
        (Some("Q4_K_XL"), "m-UD-Q4_K_XL.gguf"),
        (Some("ud-q4_k_xl"), "m-UD-Q4_K_XL.gguf"),
        (Some("m-Q2_K.gguf"), "m-Q2_K.gguf"),
        (Some("m-q2_k"), "m-Q2_K.gguf"),
    ] {
        assert_eq!(
            choose(&all, wanted).map(Variant::path),
            Ok(path),
            "{wanted:?}"
        );
    }
    let eight = found(&["m-F16.gguf", "m-Q8_0.gguf"]);
    assert_eq!(choose(&eight, None).map(Variant::path), Ok("m-Q8_0.gguf"));
    let first = found(&["m-F16.gguf", "m-F32.gguf"]);
    assert_eq!(choose(&first, None).map(Variant::path), Ok("m-F16.gguf"));
    let exact = found(&["m-IQ4_0.gguf", "m-Q4_0.gguf"]);
    assert_eq!(
        choose(&exact, Some("Q4_0")).map(Variant::path),
        Ok("m-Q4_0.gguf")
    );
}

#[test]
fn a_quantisation_is_not_the_end_of_another_one() {
    for (path, wanted) in [
        ("m-IQ4_0.gguf", "Q4_0"),
        ("m-BF16.gguf", "F16"),
        ("m-UD-Q4_K_XL.gguf", "K_XL"),
    ] {
        let all = found(&[path]);
        assert!(choose(&all, Some(wanted)).is_err(), "{wanted} of {path}");
    }
    let all = found(&["Model.gguf", "model.gguf"]);
    for name in ["model", "Model"] {
        assert_eq!(find_exact(&all, name).unwrap().name, name);
    }
    assert_eq!(find_exact(&found(&["m-UD-Q4_K_XL.gguf"]), "Q4_K_XL"), None);
}

#[test]
fn sizes_that_a_hub_makes_up_do_not_overflow() {
    let part = |index: u8| RepoFile {
        path: format!("m-0000{index}-of-00002.gguf").parse().unwrap(),
        size: 1 << 63,
        digest: crate::FileDigest::Sha256([index; 32]),
    };
    let all = variants(&[part(1), part(2)]);
    assert_eq!(all[0].size(), u64::MAX);
}

#[test]
fn the_effort_grows_with_the_number_of_files_only() {
    thread_local!(static CALLS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) });
    #[derive(Clone)]
    struct Counted(RepoPath);
    impl HasRepoPath for Counted {
        fn repo_path(&self) -> &RepoPath {
            CALLS.with(|calls| calls.set(calls.get() + 1));
            &self.0
        }
    }
    let names = (1..=1000).flat_map(|index| {
        [
            format!("m{index}-Q4_0.gguf"),
            format!("s-{index:05}-of-01000.gguf"),
            format!("mmproj-{index}.gguf"),
        ]
    });
    let files: Vec<_> = names.map(|name| Counted(name.parse().unwrap())).collect();
    assert_eq!(variants(&files).len(), 1001);
    let calls = CALLS.with(std::cell::Cell::get);
    assert!(calls < 10 * files.len(), "{calls} calls");
}

#[test]
fn an_absent_quantisation_lists_what_there_is() {
    let all = found(&["m-Q2_K.gguf", "m-Q8_0.gguf"]);
    let error = choose(&all, Some("Q4_0")).unwrap_err();
    assert_eq!(error.to_string(), "there is no Q4_0, only Q2_K, Q8_0");
    assert_eq!(choose::<Path>(&[], None), Err(ChooseError::Empty));
    assert_eq!(choose::<Path>(&[], Some("Q4_0")), Err(ChooseError::Empty));
}
