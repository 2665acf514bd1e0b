//! Models found below directories.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;

use super::super::fixture::Fixture;
use super::*;

const MODELS: &str = "[discover]\ndirs = [\"models\"]\n";

/// Reads a file and returns its models as `NAME=PATH`, and the files that are none with the reason.
fn found(fixture: &Fixture, text: &str) -> (Vec<String>, Vec<String>) {
    let config = fixture.config(text, &Overrides::default()).unwrap();
    let place = fixture.path("");
    let short = |path: &Path| path.strip_prefix(&place).unwrap().display().to_string();
    let models = config.models.iter().map(|model| {
        let path = model.path.as_ref().unwrap();
        let mmproj = model.mmproj.as_ref().map(|path| short(path));
        let mmproj = mmproj.map_or(String::new(), |path| format!("+{path}"));
        format!("{}={}{mmproj}", model.id, short(path))
    });
    let place = format!("{}/", fixture.path("").display()).replace("//", "/");
    let skipped = config.skipped.iter();
    let skipped = skipped.map(|skipped| skipped.to_string().replace(&place, ""));
    (models.collect(), skipped.collect())
}

fn models(fixture: &Fixture, text: &str) -> Vec<String> {
    let (models, skipped) = found(fixture, text);
    assert_eq!(skipped, [""; 0]);
    models
}

#[test]
fn every_file_below_is_a_model_named_after_it() {
    let fixture = Fixture::new();
    fixture.models(&["models/b.gguf", "models/x/a b.gguf", "models/x/y/c.v2.gguf"]);
    fixture.models(&["models/README.md", "models/d.GGUF", "models/x/e.gguf.part"]);
    fixture.models(&["models/._b.gguf", "models/.cache/f.gguf", "models/.gguf"]);
    let expected = [
        "a-b=models/x/a b.gguf",
        "b=models/b.gguf",
        "c.v2=models/x/y/c.v2.gguf",
    ];
    assert_eq!(models(&fixture, MODELS), expected);
}

#[test]
fn defaults_are_for_discovered_models_too() {
    let fixture = Fixture::new();
    fixture.models(&["models/a.gguf"]);
    let text = format!("{MODELS}[defaults]\ncontext = 512\nkeep_alive = 'forever'\n");
    let config = fixture.config(&text, &Overrides::default()).unwrap();
    let model = &config.models[0];
    assert_eq!(
        (model.context, model.keep_alive, model.aliases.len()),
        (512, KeepAlive::Forever, 0)
    );
}

#[test]
fn a_file_is_not_opened() {
    let fixture = Fixture::new();
    fixture.models(&["models/a.gguf"]);
    fixture.write("models/page.gguf", b"<!DOCTYPE html>");
    fixture.write("models/empty.gguf", b"");
    assert_eq!(models(&fixture, MODELS).len(), 3);
}

#[test]
fn a_split_model_is_one() {
    let fixture = Fixture::new();
    fixture.models(&[
        "models/a-00001-of-00002.gguf",
        "models/a-00002-of-00002.gguf",
    ]);
    fixture.models(&[
        "models/b-00002-of-00003.gguf",
        "models/b-00003-of-00003.gguf",
    ]);
    let (models, skipped) = found(&fixture, MODELS);
    assert_eq!(models, ["a=models/a-00001-of-00002.gguf"]);
    let expected =
        "models/b-00002-of-00003.gguf is a part of a split model whose first part is missing";
    assert_eq!(skipped, [expected]);
}

#[test]
fn a_projector_goes_with_the_only_model_beside_it() {
    let fixture = Fixture::new();
    fixture.models(&["models/one/a.gguf", "models/one/mmproj-a-f16.gguf"]);
    assert_eq!(
        models(&fixture, MODELS),
        ["a=models/one/a.gguf+models/one/mmproj-a-f16.gguf"]
    );
    fixture.models(&["models/two/b.gguf", "models/two/mmproj-f16.gguf"]);
    fixture.models(&["models/two/mmproj-f32.gguf", "models/mmproj.gguf"]);
    fixture.models(&["models/three/c.gguf", "models/three/d.gguf"]);
    fixture.models(&["models/three/mmproj.gguf"]);
    let (models, skipped) = found(&fixture, MODELS);
    let expected = [
        "a=models/one/a.gguf+models/one/mmproj-a-f16.gguf",
        "b=models/two/b.gguf",
        "c=models/three/c.gguf",
        "d=models/three/d.gguf",
    ];
    assert_eq!(models, expected);
    let skipped: Vec<_> = skipped
        .iter()
        .filter_map(|line| line.split(' ').next())
        .collect();
    let expected = [
        "models/mmproj.gguf",
        "models/three/mmproj.gguf",
        "models/two/mmproj-f16.gguf",
        "models/two/mmproj-f32.gguf",
    ];
    assert_eq!(skipped, expected);
}

#[test]
fn companions_are_told_apart_by_their_names() {
    let fixture = Fixture::new();
    fixture.models(&["models/a.gguf", "models/a-mmproj-f16.gguf"]);
    fixture.models(&[
        "models/mtp-a.gguf",
        "models/a-imatrix.gguf",
        "models/dflash-a.gguf",
    ]);
    let (found, skipped) = found(&fixture, MODELS);
    assert_eq!(found, ["a=models/a.gguf+models/a-mmproj-f16.gguf"]);
    let mut skipped = skipped;
    skipped.sort();
    let names = ["a-imatrix.gguf", "dflash-a.gguf", "mtp-a.gguf"];
    for (skipped, name) in skipped.iter().zip(names) {
        assert!(skipped.contains(name), "{skipped}");
    }
    assert_eq!(skipped.len(), names.len());
}

#[test]
fn a_projector_that_is_configured_is_no_surprise() {
    let fixture = Fixture::new();
    fixture.models(&["models/a.gguf", "models/b.gguf", "models/mmproj.gguf"]);
    let text =
        format!("{MODELS}[models.see]\npath = 'models/a.gguf'\nmmproj = 'models/mmproj.gguf'\n");
    let expected = ["see=models/a.gguf+models/mmproj.gguf", "b=models/b.gguf"];
    assert_eq!(models(&fixture, &text), expected);
}

#[test]
fn files_of_one_name_are_told_apart_by_their_directories() {
    let fixture = Fixture::new();
    fixture.models(&["models/a.gguf", "models/q4/a.gguf", "models/q8/x/a.gguf"]);
    fixture.models(&["models/b.gguf", "more/c.gguf"]);
    let expected = [
        "a=models/a.gguf",
        "b=models/b.gguf",
        "q4/a=models/q4/a.gguf",
        "q8/x/a=models/q8/x/a.gguf",
    ];
    assert_eq!(models(&fixture, MODELS), expected);
    fixture.models(&["more/a.gguf", "more/q4/a.gguf"]);
    let text = "[discover]\ndirs = ['models', 'more']\n";
    let expected = [
        "b=models/b.gguf",
        "c=more/c.gguf",
        "models/a=models/a.gguf",
        "models/q4/a=models/q4/a.gguf",
        "more/a=more/a.gguf",
        "more/q4/a=more/q4/a.gguf",
        "q8/x/a=models/q8/x/a.gguf",
    ];
    assert_eq!(models(&fixture, text), expected);
}

#[test]
fn what_cannot_have_a_name_is_skipped() {
    let fixture = Fixture::new();
    fixture.models(&[
        "models/a.gguf",
        "models/a-00001-of-00001.gguf",
        "models/b#.gguf",
    ]);
    fs::write(
        fixture.path("models").join(OsStr::from_bytes(b"\xff.gguf")),
        "",
    )
    .unwrap();
    fixture.models(&[
        "models/\u{1b}c.gguf",
        "models/\u{1b}d/d.gguf",
        "models/Icon\r",
    ]);
    symlink("gone", fixture.path("models/dangling.gguf")).unwrap();
    let (models, skipped) = found(&fixture, MODELS);
    assert_eq!(models, ["models/a=models/a-00001-of-00001.gguf"]);
    let expected = [
        "models/\u{fffd}c.gguf has a control character in its name",
        "models/\u{fffd}d has a control character in its name",
        "models/dangling.gguf cannot be read: No such file or directory (os error 2)",
        "models/\u{fffd}.gguf has a name that is not UTF-8",
        "models/a.gguf would have the same name as models/a-00001-of-00001.gguf: `models/a`",
        "models/b#.gguf cannot be served under its file name: the name `b#` contains '#', \
         which clients cannot send safely",
    ];
    assert_eq!(skipped, expected);
}

#[test]
fn a_configured_model_wins() {
    let fixture = Fixture::new();
    fixture.models(&[
        "models/a.gguf",
        "models/b.gguf",
        "models/c.gguf",
        "models/d.gguf",
    ]);
    symlink("models", fixture.path("link")).unwrap();
    let text = format!(
        "{MODELS}[models.a]\npath = 'models/a.gguf'\n[models.b]\npath = 'model.gguf'\n\
         [models.other]\npath = 'link/c.gguf'\n"
    );
    let (models, skipped) = found(&fixture, &text);
    let expected = [
        "a=models/a.gguf",
        "b=model.gguf",
        "other=link/c.gguf",
        "d=models/d.gguf",
    ];
    assert_eq!(models, expected);
    let expected = "models/b.gguf would be named `b`, which is already configured";
    assert_eq!(skipped, [expected]);
}

#[test]
fn links_are_followed_once() {
    let fixture = Fixture::new();
    fixture.models(&["models/x/a.gguf", "blobs/1"]);
    symlink("x", fixture.path("models/y")).unwrap();
    symlink("..", fixture.path("models/x/up")).unwrap();
    // As a download cache has it: two versions of a directory, one file.
    for version in ["models/v1", "models/v2"] {
        fs::create_dir(fixture.path(version)).unwrap();
        symlink(
            fixture.path("blobs/1"),
            fixture.path(version).join("c.gguf"),
        )
        .unwrap();
    }
    symlink("a.gguf", fixture.path("models/x/latest.gguf")).unwrap();
    let expected = [
        "a=models/x/a.gguf",
        "c=models/v1/c.gguf",
        "latest=models/x/latest.gguf",
    ];
    assert_eq!(models(&fixture, MODELS), expected);
    let twice = "[discover]\ndirs = ['models', 'models/x', './models/']\n";
    assert_eq!(models(&fixture, twice), expected);
}

#[test]
fn the_walk_ends_at_its_depth() {
    let fixture = Fixture::new();
    fixture.models(&[
        "models/1/2/3/4/5/6/7/8/in.gguf",
        "models/1/2/3/4/5/6/7/8/9/out.gguf",
    ]);
    assert_eq!(
        models(&fixture, MODELS),
        ["in=models/1/2/3/4/5/6/7/8/in.gguf"]
    );
}

#[test]
fn too_many_files_are_refused() {
    let fixture = Fixture::new();
    fs::create_dir(fixture.path("models")).unwrap();
    for number in 0..=10_000 {
        fixture.write(&format!("models/{number}.gguf"), b"");
    }
    let problems = fixture.problems(MODELS);
    let expected = "error: discover.dirs: DIR/models contains more than 10000 model files";
    assert_eq!(problems.lines().next(), Some(expected));
    fs::remove_file(fixture.path("models/7.gguf")).unwrap();
    assert_eq!(models(&fixture, MODELS).len(), 10_000);
}

#[test]
fn directories_of_flags_are_added() {
    let fixture = Fixture::new();
    fixture.models(&["models/a.gguf", "more/b.gguf"]);
    let overrides = Overrides {
        models_dirs: vec![fixture.path("more")],
        ..Overrides::default()
    };
    let config = fixture.config(MODELS, &overrides).unwrap();
    assert_eq!(config.models.len(), 2);
    let overrides = Overrides {
        models_dirs: vec![fixture.path("gone"), fixture.path("model.gguf")],
        ..Overrides::default()
    };
    assert_eq!(
        fixture.problems_with("", &overrides),
        "error: --models-dir: there is no directory DIR/gone\n\n\
         error: --models-dir: DIR/model.gguf is not a directory"
    );
}

#[test]
fn a_directory_without_models_is_a_fault_of_a_valid_configuration() {
    let fixture = Fixture::new();
    let text = "[server]\ndefault_model = 'later'\n[discover]\ndirs = ['bin']\n";
    let expected = "error: no model is configured\n  \
        = help: no model file (*.gguf) found below DIR/bin";
    assert_eq!(fixture.problems(text), expected);
    let config = fixture.config(text, &Overrides::default()).unwrap();
    assert_eq!(config.models, []);
}

#[test]
fn names_of_models_below_a_missing_directory_are_no_mistakes() {
    let fixture = Fixture::new();
    let hash = "0".repeat(64);
    let of = |dir: &str| {
        format!(
            "[server]\ndefault_model = 'a'\n[discover]\ndirs = ['{dir}']\n[models.m]\npath = 'model.gguf'\n\
             [auth.keys.k]\nhash = 'sha256:{hash}'\nmodels = ['a']\n"
        )
    };
    let config = fixture.config(&of("gone"), &Overrides::default()).unwrap();
    assert_eq!(config.server.default_model.as_deref(), Some("a"));
    assert_eq!(config.api_keys[0].models.as_deref(), Some(&[][..]));
    // Where the directory can be read, they are.
    let problems = fixture.config(&of("bin"), &Overrides::default());
    assert_eq!(problems.unwrap_err().as_slice().len(), 2);
}

#[test]
fn a_file_at_fault_refuses_a_configuration_of_one_model_alone() {
    let fixture = Fixture::new();
    fixture.models(&["models/a.gguf"]);
    let bad = "[models.bad]\npath = 'model.gguf'\nmmproj = 'gone.gguf'\n";
    let problems = fixture.config(bad, &Overrides::default()).unwrap_err();
    let fault = problems.as_slice().to_vec();
    assert_eq!(fault.len(), 1);
    for others in ["[models.good]\npath = 'model.gguf'\n", MODELS] {
        let text = format!("{bad}{others}");
        let config = fixture.config(&text, &Overrides::default()).unwrap();
        let faults: Vec<_> = config
            .faults
            .iter()
            .map(|fault| fault.problem.clone())
            .collect();
        assert_eq!(faults, fault);
        let at_fault = config
            .models
            .iter()
            .filter(|model| config.is_at_fault(model));
        assert_eq!(
            at_fault.map(|model| &*model.id).collect::<Vec<_>>(),
            ["bad"]
        );
    }
    // A mistake of another kind shows all there is.
    let text = format!("{bad}keep = 1\n[models.good]\npath = 'model.gguf'\n");
    let problems = fixture.config(&text, &Overrides::default()).unwrap_err();
    assert_eq!(problems.as_slice().len(), 2);
}
