//! Models that are configured by their source.

use paddock_e2e::harness::{LIMIT, post, wait_for};

use crate::support::{ANSWER, Commands, home, hub};

const SOURCE: &str = "models.s.source = 'hf:u/r:Q8_0'";

#[test]
fn a_running_paddock_serves_a_model_as_soon_as_it_is_downloaded() {
    let hub = hub();
    let builder = home(&hub.endpoint()).config(SOURCE);
    let check = builder.check();
    assert_eq!(check.code, Some(64), "{check:#?}");
    assert!(
        check.stderr.contains("hf:u/r:Q8_0 is not on disk"),
        "{check:#?}"
    );
    assert!(
        check.stderr.contains("`paddock pull s` downloads it"),
        "{check:#?}"
    );

    let (paddock, commands) = Commands::start(builder);
    let ask = || {
        let body = r#"{"model":"s","prompt":"a"}"#;
        paddock.ask(post("/completion", body))
    };
    let refused = ask();
    assert_eq!(refused.status, 503);
    let message = refused.json()["error"]["message"].to_string();
    assert!(message.contains("hf:u/r:Q8_0 is not on disk"), "{message}");
    assert!(message.contains("paddock pull s"), "{message}");

    let pulled = commands.run(&["pull"]);
    assert_eq!(pulled.code, Some(0), "{pulled:#?}");
    wait_for(LIMIT, "the model to be served", || {
        (ask().status == 200).then_some(())
    });
}

#[test]
fn run_downloads_and_uses_a_configured_model() {
    let hub = hub();
    let builder = home(&hub.endpoint()).config(SOURCE);
    builder.write_config();
    let answer = builder.run(["run", "s", "hi"]);
    assert_eq!(answer.code, Some(0), "{answer:#?}");
    assert!(answer.stdout.starts_with(ANSWER), "{answer:#?}");
    let listed = builder.run(["models"]).stdout;
    let columns: Vec<_> = listed.trim_end().split('\t').collect();
    assert_eq!((columns[0], columns[2]), ("hf:u/r:Q8_0", "s"), "{listed}");
}

#[test]
fn run_uses_the_running_paddock_for_its_models() {
    let hub = hub();
    let (paddock, commands) = Commands::start(home(&hub.endpoint()).config(SOURCE));
    for model in ["m", "s", "hf:u/r:Q8_0"] {
        let answer = commands.run(&["run", model, "hi"]);
        assert_eq!(answer.code, Some(0), "{model}: {answer:#?}");
        assert!(answer.stdout.starts_with(ANSWER), "{model}: {answer:#?}");
        assert!(
            !answer.stderr.contains("starting another"),
            "{model}: {answer:#?}"
        );
    }
    assert_eq!(paddock.status()["models"][1]["status"], "ready");
    let other = commands.run(&["run", "hf:u/r:Q4_K_M", "hi"]);
    assert_eq!(other.code, Some(0), "{other:#?}");
    assert!(
        other.stderr.contains("does not serve hf:u/r:Q4_K_M"),
        "{other:#?}"
    );
}
