use super::*;

fn parse(text: &str) -> Result<ModelSource, SourceError> {
    text.parse()
}

#[test]
fn sources_are_read_and_shown_alike() {
    for text in [
        "hf:ggml-org/gemma-3-4b-it-GGUF",
        "hf:u/r:Q4_K_M",
        "hf:u/r:sub/model-00001-of-00002.gguf",
        "https://example.org/a/b.gguf",
        "http://127.0.0.1:8000/m.gguf",
        "http://[::1]:8000/m.gguf",
    ] {
        assert_eq!(parse(text).unwrap().to_string(), text);
    }
    let upper = parse("HTTPS://Example.ORG/A.gguf").unwrap();
    assert_eq!(upper.to_string(), "https://example.org/A.gguf");
}

#[test]
fn other_spellings_of_a_repository_get_the_right_one() {
    for (text, meant) in [
        ("hf.co/u/r", "hf:u/r"),
        ("hf.co/u/r:Q8_0", "hf:u/r:Q8_0"),
        ("https://huggingface.co/u/r", "hf:u/r"),
        ("https://huggingface.co/u/r/", "hf:u/r"),
        ("https://huggingface.co/u/r/tree/main", "hf:u/r"),
        ("https://huggingface.co/u/r?library=gguf", "hf:u/r"),
        (
            "https://huggingface.co/u/r/blob/main/F-Q4_0.gguf",
            "hf:u/r:F-Q4_0.gguf",
        ),
        (
            "https://huggingface.co/u/r/resolve/main/s/F.gguf?download=true",
            "hf:u/r:s/F.gguf",
        ),
        ("huggingface.co/u/r", "hf:u/r"),
        ("u/r", "hf:u/r"),
        ("u/r:Q4_0", "hf:u/r:Q4_0"),
        ("hf://u/r", "hf:u/r"),
        ("hf:https://huggingface.co/u/r", "hf:u/r"),
        ("hf:u/r/blob/main/F.gguf", "hf:u/r:F.gguf"),
    ] {
        let error = parse(text).expect_err(text);
        assert_eq!(error.help(), format!("did you mean `{meant}`?"), "{text}");
    }
}

#[test]
fn names_of_ollama_get_a_search() {
    let error = parse("llama3.2:1b").unwrap_err();
    assert_eq!(error, SourceError::OllamaName("llama3.2:1b".to_owned()));
    assert!(
        error.help().contains("library=gguf&search=llama3.2,"),
        "{}",
        error.help()
    );
}

#[test]
fn wrong_texts_are_refused_with_their_reason() {
    for text in ["hf:", "hf:u", "hf:u/", "hf:u/r/s", "hf:../r", "hf:u/r --x"] {
        assert_eq!(
            parse(text),
            Err(SourceError::RepoName(text.to_owned())),
            "{text}"
        );
    }
    for text in ["hf:u/r:", "hf:u/r:a:b"] {
        assert_eq!(
            parse(text),
            Err(SourceError::Variant(text.to_owned())),
            "{text}"
        );
    }
    for text in ["hf:u/r:../x.gguf", "hf:u/r:/etc/passwd", "hf:u/r:a\\b"] {
        assert!(matches!(parse(text), Err(SourceError::File(_))), "{text}");
    }
    for text in ["", "model", "./model.gguf", "a b/c"] {
        assert_eq!(
            parse(text),
            Err(SourceError::Unknown(text.to_owned())),
            "{text}"
        );
    }
    for (text, reason) in [
        ("ftp://h/x.gguf", "scheme"),
        ("https://h", "names no file"),
        ("https://h/x.bin", "end in .gguf"),
        ("https://h/x-00001-of-00002.GGUF", "end in .gguf"),
        ("https:///x.gguf", "host"),
        ("https://h/../x.gguf", ".."),
        ("https://h/a//x.gguf", "empty component"),
        ("https://h/x y.gguf", "percent-encoded"),
        ("https://h/x.gguf#a", "fragment"),
    ] {
        let error = parse(text).expect_err(text).to_string();
        assert!(error.contains(reason), "{text}: {error}");
    }
}

#[test]
fn credentials_of_a_url_are_not_shown() {
    let error = parse("https://me:secret@h/x.gguf?token=secret").unwrap_err();
    assert!(!error.to_string().contains("secret"), "{error}");
    for text in [
        "https://huggingface.co/u/r/resolve/main/x.gguf?token=secret",
        "huggingface.co/u/r?token=secret",
        "hf://u:secret@x/y",
        "hf:u:secret@x/y",
        "u:secret@x",
        "hf:u/r:a:secret@x",
        "https://user:secret/secret@h/x.gguf",
        "https://user:secret?secret@h/x.gguf",
        "https://user:secret#secret@h/x.gguf",
        "what?token=secret",
    ] {
        let error = parse(text).expect_err(text);
        let shown = format!("{error}\n{}", error.help());
        assert!(!shown.contains("secret"), "{text}: {shown}");
    }
    let branch = parse("hf:u/r@main").unwrap_err().to_string();
    assert!(branch.starts_with("`hf:u/r@main` "), "{branch}");
    let url: ModelUrl = "https://h/x.gguf?token=secret".parse().unwrap();
    assert_eq!(url.to_string(), "https://h/x.gguf");
    assert_eq!(url.request_url(), "https://h/x.gguf?token=secret");
}

#[test]
fn a_url_of_a_first_part_means_all_parts() {
    let url: ModelUrl = "https://h:1/a/m-Q8_0-00001-of-00003.gguf?s=1"
        .parse()
        .unwrap();
    let parts: Vec<_> = url.parts().iter().map(ModelUrl::request_url).collect();
    assert_eq!(
        parts,
        [1, 2, 3].map(|part| format!("https://h:1/a/m-Q8_0-0000{part}-of-00003.gguf?s=1"))
    );
    assert_eq!(
        url.store_path().as_str(),
        "h_1/a/m-Q8_0-00001-of-00003.gguf"
    );
    let single: ModelUrl = "https://h/m.gguf".parse().unwrap();
    assert_eq!(single.parts(), std::slice::from_ref(&single));
}
