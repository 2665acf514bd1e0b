//! Common mistakes, and their error messages.

use super::super::fixture::Fixture;
use super::*;

/// A file with a mistake in it.
pub(in super::super) struct Mistake {
    pub(in super::super) name: &'static str,
    pub(in super::super) text: &'static str,
    /// The mistake is an unknown key or a wrong type, which the schema detects too.
    pub(in super::super) of_form: bool,
}

const fn mistake(name: &'static str, of_form: bool, text: &'static str) -> Mistake {
    Mistake {
        name,
        text,
        of_form,
    }
}

pub(in super::super) const MISTAKES: &[Mistake] = &[
    mistake(
        "misspelt_key",
        true,
        "[models.gemma]\npath = \"model.gguf\"\nkeep_alvie = \"10m\"\n",
    ),
    mistake(
        "misspelt_table",
        true,
        "[model.gemma]\npath = \"model.gguf\"\n",
    ),
    mistake("model_at_the_top", true, "[gemma]\npath = \"model.gguf\"\n"),
    mistake(
        "key_in_the_wrong_table",
        true,
        "[server]\nkeep_alive = \"1h\"\n\n[models.gemma]\npath = \"model.gguf\"\nlisten = [\"127.0.0.1:9000\"]\n",
    ),
    mistake(
        "no_unit",
        true,
        "[server]\nbody_limit = 100\n\n[models.gemma]\npath = \"model.gguf\"\nkeep_alive = 600\n",
    ),
    mistake(
        "quotes_around_a_number",
        true,
        "[models.gemma]\npath = \"model.gguf\"\ncontext = \"4096\"\npinned = \"true\"\n",
    ),
    mistake(
        "no_brackets",
        true,
        "[server]\nlisten = \"127.0.0.1:9000\"\n\n[models.gemma]\npath = \"model.gguf\"\nargs = \"--verbose\"\n",
    ),
    mistake(
        "misspelt_word",
        true,
        "[engine]\nsandbox = \"of\"\n\n[models.gemma]\npath = \"model.gguf\"\ngpu_layers = \"al\"\nkeep_alive = \"forevr\"\n",
    ),
    mistake(
        "unit_that_is_none",
        true,
        "[memory]\nram = \"24G\"\n\n[models.gemma]\npath = \"model.gguf\"\nstartup_timeout = \"2 minutes\"\n",
    ),
    mistake(
        "not_in_this_version",
        true,
        "[tls]\ncert = \"cert.pem\"\n\n[models.gemma]\npath = \"model.gguf\"\nkind = \"chat\"\n",
    ),
    mistake(
        "misspelt_file",
        false,
        "[models.gemma]\npath = \"modle.gguf\"\nmmproj = \"model.ggufs\"\n",
    ),
    mistake(
        "flag_that_has_a_key",
        false,
        "[models.gemma]\npath = \"model.gguf\"\nargs = [\"--ctx-size\", \"4096\", \"--port=9000\"]\n",
    ),
    mistake(
        "broken_toml",
        false,
        "[models.gemma]\npath = model.gguf\ncontext = 4096\ncontext = 8192\n[server\nlisten = []\n",
    ),
    mistake(
        "default_model_that_is_none",
        false,
        "[server]\ndefault_model = \"gema\"\n\n[models.gemma]\npath = \"model.gguf\"\n",
    ),
    mistake("nothing", false, ""),
    mistake(
        "steers_a_terminal",
        true,
        "[models.gemma]\npath = \"model.gguf\"\n\"\\u001b[2J\" = 1\n",
    ),
    mistake(
        "many_at_once",
        true,
        "[server]\nlisten = [\"0.0.0.0:8080\"]\nbody_limt = \"1GiB\"\n\n[engine]\ncommand = \"lama-server\"\n\n[models.gemma]\nparallel = 0\n",
    ),
];

#[test]
fn each_is_shown_as_a_compiler_would() {
    for mistake in MISTAKES {
        let problems = Fixture::new().problems(mistake.text);
        insta::assert_snapshot!(mistake.name, problems, mistake.text);
    }
}

#[test]
fn colours_change_nothing_of_the_text() {
    let fixture = Fixture::new();
    let text = MISTAKES.last().unwrap().text;
    let problems = fixture.config(text, &Overrides::default()).unwrap_err();
    let coloured = fixture.hide(&problems.coloured().to_string());
    insta::assert_snapshot!("in_colours", first_problem(&coloured).escape_debug());
    let mut plain = String::new();
    let mut rest = coloured.as_str();
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        plain.push_str(before);
        rest = after.split_once('m').unwrap().1;
    }
    assert_eq!(plain + rest, fixture.hide(&problems.to_string()));
}

fn first_problem(text: &str) -> &str {
    text.split("\n\n").next().unwrap().trim_start()
}
